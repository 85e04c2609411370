package foreign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const region = "us-east-1"

// cloud is AWS's SDK for Go as its users set it up, for the first access key of the server.
type cloud struct {
	url    string
	client *http.Client
	keys   aws.CredentialsProvider
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(theServer.folder, "data", "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) string {
		return string(regexp.MustCompile(name + ` *= *(\S+)`).FindSubmatch(text)[1])
	}
	_, port, _ := strings.Cut(theServer.api, ":")
	return &cloud{
		url:    "https://localhost:" + port,
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: everything.tls.RootCAs, MinVersion: tls.VersionTLS12}}},
		keys:   credentials.NewStaticCredentialsProvider(value("aws_access_key_id"), value("aws_secret_access_key"), ""),
	}
}

func (c *cloud) sts() *sts.Client {
	return sts.New(sts.Options{Region: region, BaseEndpoint: &c.url, HTTPClient: c.client, Credentials: c.keys, RetryMaxAttempts: 1})
}

func (c *cloud) iam() *iam.Client {
	return iam.New(iam.Options{Region: region, BaseEndpoint: &c.url, HTTPClient: c.client, Credentials: c.keys, RetryMaxAttempts: 1})
}

// role makes a role that may publish to the topic sigfox, for who knows the external id.
func (c *cloud) role(t *testing.T, name, externalID string) string {
	t.Helper()
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
		"Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Condition":{"StringEquals":{"sts:ExternalId":%q}}}}`, externalID)
	made, err := c.iam().CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	document := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"` + arn + `topic/sigfox"}}`
	if _, err := c.iam().PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"), PolicyDocument: &document}); err != nil {
		t.Fatal(err)
	}
	return *made.Role.Arn
}

// publish is the Publish API, signed by AWS's signer with whatever the provider gives.
func (c *cloud) publish(t *testing.T, provider aws.CredentialsProvider, topic, payload string) (status int, exception string) {
	t.Helper()
	creds, err := provider.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/topics/"+topic+"?qos=1", bytes.NewReader([]byte(payload)))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(payload))
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(hash[:]), "iotdata", region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("X-Amzn-Errortype")
}

// AWS's AssumeRoleProvider takes sessions by itself, as services that act for others do.
func TestAssumeRoleProvider(t *testing.T) {
	c := newCloud(t)
	name := unique("provider")
	role := c.role(t, name, "ours")
	provider := func(externalID string) aws.CredentialsProvider {
		return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(c.sts(), role, func(o *stscreds.AssumeRoleOptions) {
			o.ExternalID, o.RoleSessionName, o.Duration = &externalID, "go-1", 15*time.Minute
		}))
	}
	session := provider("ours")
	creds, err := session.Retrieve(t.Context())
	if err != nil || !creds.CanExpire || time.Until(creds.Expires) > 15*time.Minute || creds.SessionToken == "" {
		t.Fatalf("%+v, %v", creds, err)
	}
	if status, exception := c.publish(t, session, "sigfox", "{}"); status != http.StatusOK {
		t.Errorf("its topic: %d %s", status, exception)
	}
	if status, exception := c.publish(t, session, "elsewhere", "{}"); status != http.StatusForbidden || exception != "ForbiddenException" {
		t.Errorf("elsewhere: %d %s", status, exception)
	}
	who, err := sts.New(sts.Options{Region: region, BaseEndpoint: &c.url, HTTPClient: c.client, Credentials: session}).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != "arn:aws:sts::000000000000:assumed-role/"+name+"/go-1" {
		t.Errorf("%+v, %v", who, err)
	}

	_, err = provider("theirs").Retrieve(t.Context())
	if refused, ok := errors.AsType[smithy.APIError](err); !ok || refused.ErrorCode() != "AccessDenied" ||
		!strings.HasPrefix(refused.ErrorMessage(), "User: arn:aws:iam::000000000000:user/thingwire is not authorized to perform: sts:AssumeRole on resource: "+role) {
		t.Errorf("the wrong external id: %v", err)
	}
	if _, err := c.iam().DeleteRolePolicy(context.Background(), &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: aws.String("p")}); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.publish(t, session, "sigfox", "{}"); status != http.StatusForbidden {
		t.Errorf("without its policy: %d", status)
	}
	if _, err := c.iam().DeleteRole(context.Background(), &iam.DeleteRoleInput{RoleName: &name}); err != nil {
		t.Fatal(err)
	}
	if status, exception := c.publish(t, session, "sigfox", "{}"); status != http.StatusUnauthorized {
		t.Errorf("without its role: %d %s", status, exception)
	}
}
