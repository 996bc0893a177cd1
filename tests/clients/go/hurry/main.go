// Calls as fast as it can, with retries switched off, and says what came of it: hurry GOROUTINES CALLS [who].
//
// Calls are CreateRole and DeleteRole in turn, each role a new one, so that an answer that is lost is seen; with `who`,
// GetCallerIdentity.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func main() {
	goroutines, _ := strconv.Atoi(os.Args[1])
	calls, _ := strconv.Atoi(os.Args[2])
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		panic(err)
	}
	roles, tokens := iam.NewFromConfig(settings), sts.NewFromConfig(settings)
	call := func(worker, number int) error {
		if len(os.Args) > 3 {
			_, err := tokens.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			return err
		}
		name := aws.String(fmt.Sprintf("hurried-%d-%d", worker, number/2))
		if number%2 == 0 {
			_, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust)})
			return err
		}
		_, err := roles.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
		return err
	}
	call(0, calls) // the connection is open, the code is warm
	var lost []string
	var guard sync.Mutex
	var working sync.WaitGroup
	begun := time.Now()
	for worker := 1; worker <= goroutines; worker++ {
		working.Add(1)
		go func(worker int) {
			defer working.Done()
			for number := 0; number < calls/goroutines; number++ {
				if err := call(worker, number); err != nil {
					guard.Lock()
					lost = append(lost, err.Error())
					guard.Unlock()
				}
			}
		}(worker)
	}
	working.Wait()
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"calls": calls / goroutines * goroutines, "lost": lost, "seconds": time.Since(begun).Seconds(),
	})
}
