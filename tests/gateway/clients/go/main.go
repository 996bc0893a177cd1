// Uses what is behind the door with the AWS SDK for Go, as its environment says; tells what came back.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

func must[Value any](value Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	settings := must(config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1)))
	files := s3.NewFromConfig(settings, func(options *s3.Options) { options.UsePathStyle = true })
	bucket := aws.String("photos")
	told := map[string]any{}

	must(files.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("ann/small"), Body: strings.NewReader("hello")}))
	small := must(files.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("ann/small")}))
	told["small"] = string(must(io.ReadAll(small.Body)))

	large := make([]byte, 12<<20)
	must(rand.Read(large))
	upload := &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("ann/large"), Body: bytes.NewBuffer(bytes.Clone(large)),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
	}
	must(manager.NewUploader(files).Upload(ctx, upload))
	back := must(files.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("ann/large")}))
	told["large"] = bytes.Equal(must(io.ReadAll(back.Body)), large)

	_, err := files.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("bob/1"), Body: strings.NewReader("hello")})
	var refused smithy.APIError
	if errors.As(err, &refused) {
		told["refused"] = map[string]string{"name": refused.ErrorCode(), "message": refused.ErrorMessage()}
	}

	queues := sqs.NewFromConfig(settings)
	queue := must(queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("jobs")})).QueueUrl
	must(queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("work")}))
	received := must(queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue}))
	told["message"] = *received.Messages[0].Body

	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		panic(err)
	}
}
