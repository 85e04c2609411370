package control

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/thingwire/thingwire/internal/iam"
)

// wantCode checks the code of a refusal as the SDK reads it from the XML.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	got, ok := errors.AsType[smithy.APIError](err)
	if !ok || got.ErrorCode() != code || got.ErrorMessage() == "" {
		t.Errorf("got %v, want the code %s", err, code)
	}
}

func TestCallerIdentity(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	c := w.user("dev", "")
	u, err := w.keys.GetUser(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	got := must[*sts.GetCallerIdentityOutput](t)(w.sts(c).GetCallerIdentity(t.Context(), nil))
	if *got.Arn != "arn:aws:iam::123456789012:user/dev" || *got.UserId != u.ID || *got.Account != queryAccount {
		t.Errorf("user: %s %s %s", *got.Arn, *got.UserId, *got.Account)
	}
	session := must[*sts.GetSessionTokenOutput](t)(w.sts(c).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}))
	if e := session.Credentials.Expiration; time.Until(*e) > 15*time.Minute || time.Until(*e) < 14*time.Minute {
		t.Errorf("the session ends at %v", e)
	}
	temporary := aws.Credentials{
		AccessKeyID: *session.Credentials.AccessKeyId, SecretAccessKey: *session.Credentials.SecretAccessKey, SessionToken: *session.Credentials.SessionToken,
	}
	same := must[*sts.GetCallerIdentityOutput](t)(w.sts(temporary).GetCallerIdentity(t.Context(), nil))
	if *same.Arn != *got.Arn || *same.UserId != *got.UserId {
		t.Errorf("session: %s %s", *same.Arn, *same.UserId)
	}
	_, err = w.sts(temporary).GetSessionToken(t.Context(), nil)
	wantCode(t, err, "AccessDenied")
	_, err = w.iam(temporary).GetUser(t.Context(), nil)
	wantCode(t, err, "InvalidClientTokenId")
}

func TestSessionTokenBounds(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	client := w.sts(w.user("dev", ""))
	for _, seconds := range []int32{-1, 0, 899, 129601} {
		_, err := client.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: &seconds})
		wantCode(t, err, "ValidationError")
	}
	must[*sts.GetSessionTokenOutput](t)(client.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(129600)}))
	_, err := client.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: aws.String("GAHT12345678"), TokenCode: aws.String("123456")})
	wantCode(t, err, "NotImplemented")
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	client := w.iam(w.user("admin", iam.Everything))
	ctx := t.Context()
	made := must[*awsiam.CreateUserOutput](t)(client.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("dev")})).User
	if *made.Arn != "arn:aws:iam::123456789012:user/dev" || *made.Path != "/" || !near(made.CreateDate) {
		t.Errorf("made %+v", made)
	}
	_, err := client.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("DEV")})
	wantCode(t, err, "EntityAlreadyExists")
	got := must[*awsiam.GetUserOutput](t)(client.GetUser(ctx, &awsiam.GetUserInput{UserName: aws.String("dev")})).User
	if *got.UserId != *made.UserId {
		t.Errorf("got %s, made %s", *got.UserId, *made.UserId)
	}
	if own := must[*awsiam.GetUserOutput](t)(client.GetUser(ctx, nil)).User; *own.UserName != "admin" {
		t.Errorf("without a name: %s", *own.UserName)
	}
	must[*awsiam.DeleteUserOutput](t)(client.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: aws.String("dev")}))
	_, err = client.GetUser(ctx, &awsiam.GetUserInput{UserName: aws.String("dev")})
	wantCode(t, err, "NoSuchEntity")
	if _, typed := errors.AsType[*types.NoSuchEntityException](err); !typed {
		t.Errorf("%T is not the SDK's own exception", err)
	}
	_, err = client.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: aws.String("admin")})
	wantCode(t, err, "DeleteConflict")
}

// The SDK's paginators walk through pages of one and see everything once.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	c := w.user("admin", iam.Everything)
	client := w.iam(c)
	for _, name := range []string{"b", "a", "C"} {
		w.create(name, "")
	}
	var names []string
	for p := awsiam.NewListUsersPaginator(client, &awsiam.ListUsersInput{MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		for _, u := range must[*awsiam.ListUsersOutput](t)(p.NextPage(t.Context())).Users {
			names = append(names, *u.UserName)
		}
	}
	if want := []string{"a", "admin", "b", "C"}; !slices.Equal(names, want) {
		t.Errorf("users %v, want %v", names, want)
	}
	must[*awsiam.CreateAccessKeyOutput](t)(client.CreateAccessKey(t.Context(), nil))
	var keys []string
	for p := awsiam.NewListAccessKeysPaginator(client, &awsiam.ListAccessKeysInput{MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		for _, k := range must[*awsiam.ListAccessKeysOutput](t)(p.NextPage(t.Context())).AccessKeyMetadata {
			keys = append(keys, *k.AccessKeyId)
		}
	}
	if len(keys) != 2 || keys[0] != c.AccessKeyID {
		t.Errorf("keys %v", keys)
	}
	none := must[*awsiam.ListUsersOutput](t)(client.ListUsers(t.Context(), &awsiam.ListUsersInput{PathPrefix: aws.String("/division/")}))
	if len(none.Users) != 0 || none.IsTruncated {
		t.Errorf("below a path: %+v", none)
	}
	page := must[*awsiam.ListUsersOutput](t)(client.ListUsers(t.Context(), &awsiam.ListUsersInput{MaxItems: aws.Int32(1)}))
	_, err := client.ListAccessKeys(t.Context(), &awsiam.ListAccessKeysInput{Marker: page.Marker})
	wantCode(t, err, "ValidationError")
}

func TestAccessKeys(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	client := w.iam(w.user("admin", iam.Everything))
	w.create("dev", "")
	ctx := t.Context()
	key := must[*awsiam.CreateAccessKeyOutput](t)(client.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("dev")})).AccessKey
	if *key.UserName != "dev" || key.Status != types.StatusTypeActive || !near(key.CreateDate) {
		t.Errorf("made %s %s", *key.UserName, key.Status)
	}
	dev := aws.Credentials{AccessKeyID: *key.AccessKeyId, SecretAccessKey: *key.SecretAccessKey}
	must[*sts.GetCallerIdentityOutput](t)(w.sts(dev).GetCallerIdentity(ctx, nil))

	must[*awsiam.UpdateAccessKeyOutput](t)(client.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{
		UserName: aws.String("dev"), AccessKeyId: key.AccessKeyId, Status: types.StatusTypeInactive,
	}))
	_, err := w.sts(dev).GetCallerIdentity(ctx, nil)
	wantCode(t, err, "InvalidClientTokenId")
	listed := must[*awsiam.ListAccessKeysOutput](t)(client.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: aws.String("dev")})).AccessKeyMetadata
	if len(listed) != 1 || listed[0].Status != types.StatusTypeInactive {
		t.Errorf("listed %+v", listed)
	}
	_, err = client.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: aws.String("dev"), AccessKeyId: key.AccessKeyId, Status: "Expired"})
	wantCode(t, err, "ValidationError")
	_, err = client.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{AccessKeyId: key.AccessKeyId}) // the caller's own: it is not among them
	wantCode(t, err, "NoSuchEntity")
	must[*awsiam.DeleteAccessKeyOutput](t)(client.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: aws.String("dev"), AccessKeyId: key.AccessKeyId}))
	for range 2 {
		must[*awsiam.CreateAccessKeyOutput](t)(client.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("dev")}))
	}
	_, err = client.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("dev")})
	wantCode(t, err, "LimitExceeded")
	_, err = client.GetAccessKeyLastUsed(ctx, &awsiam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId})
	wantCode(t, err, "NotImplemented")
}

func TestUserPolicies(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	client := w.iam(w.user("admin", iam.Everything))
	w.create("dev", "")
	ctx, dev := t.Context(), aws.String("dev")
	document := `{"Version":"2012-10-17", "Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/a+b/ü"}]}`
	must[*awsiam.PutUserPolicyOutput](t)(client.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: dev, PolicyName: aws.String("pub"), PolicyDocument: &document}))
	got := must[*awsiam.GetUserPolicyOutput](t)(client.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: dev, PolicyName: aws.String("pub")}))
	if plain, err := url.PathUnescape(*got.PolicyDocument); err != nil || plain != document || *got.PolicyDocument == document {
		t.Errorf("the document came back as %q", *got.PolicyDocument)
	}
	names := must[*awsiam.ListUserPoliciesOutput](t)(client.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: dev}))
	if !slices.Equal(names.PolicyNames, []string{"pub"}) || names.IsTruncated {
		t.Errorf("names %v", names.PolicyNames)
	}
	_, err := client.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: dev, PolicyName: aws.String("x"), PolicyDocument: aws.String("{}")})
	wantCode(t, err, "MalformedPolicyDocument")
	large, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": "iot:*", "Resource": slices.Repeat([]string{"arn:aws:iot:us-east-1:123456789012:topic/abcdefghi"}, 60),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: dev, PolicyName: aws.String("x"), PolicyDocument: aws.String(string(large))})
	wantCode(t, err, "LimitExceeded")
	must[*awsiam.DeleteUserPolicyOutput](t)(client.DeleteUserPolicy(ctx, &awsiam.DeleteUserPolicyInput{UserName: dev, PolicyName: aws.String("pub")}))
	_, err = client.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: dev, PolicyName: aws.String("pub")})
	wantCode(t, err, "NoSuchEntity")
}

// What a caller may do is what its policies say of each user; who it is, it may always ask.
func TestQueryAuthorisation(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	w.create("Boss", "")
	client := w.iam(w.user("dev", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:GetUser","iam:*AccessKey*"],"Resource":"arn:aws:iam::123456789012:user/${aws:username}"},
		{"Effect":"Allow","Action":"iam:DeleteUser","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"arn:aws:iam::123456789012:user/Boss"}]}`))
	ctx := t.Context()
	must[*awsiam.GetUserOutput](t)(client.GetUser(ctx, nil))
	must[*awsiam.CreateAccessKeyOutput](t)(client.CreateAccessKey(ctx, nil))
	_, err := client.ListUsers(ctx, nil)
	wantCode(t, err, "AccessDenied")
	_, err = client.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("nobody")})
	wantCode(t, err, "AccessDenied")                        // whether it is there is not told
	for _, name := range []string{"Boss", "boss", "BOSS"} { // a Deny is not got around by another spelling
		_, err = client.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: &name})
		wantCode(t, err, "AccessDenied")
	}
}

func TestQuerySignatures(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	c := w.user("dev", "")
	wrong := c
	wrong.SecretAccessKey = "not it"
	_, err := w.sts(wrong).GetCallerIdentity(t.Context(), nil)
	wantCode(t, err, "SignatureDoesNotMatch")
	unknown := c
	unknown.AccessKeyID = "AKIAAAAAAAAAAAAAAAAA"
	_, err = w.sts(unknown).GetCallerIdentity(t.Context(), nil)
	wantCode(t, err, "InvalidClientTokenId")
	anonymous := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: aws.AnonymousCredentials{}})
	_, err = anonymous.GetCallerIdentity(t.Context(), nil)
	wantCode(t, err, "MissingAuthenticationToken")
}
