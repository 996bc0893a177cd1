// Says who the default credential chain of the AWS SDK for Go is: once, and again for each line of input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	client := sts.NewFromConfig(settings)
	out := json.NewEncoder(os.Stdout)
	say := func() {
		who, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			out.Encode(map[string]string{"error": err.Error()})
			return
		}
		keys, _ := settings.Credentials.Retrieve(ctx)
		out.Encode(map[string]string{"arn": *who.Arn, "key": keys.AccessKeyID})
	}
	say()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		say()
	}
}
