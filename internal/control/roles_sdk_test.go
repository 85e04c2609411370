package control

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/iam"
)

const trustOwn = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Condition":{"StringEquals":{"sts:ExternalId":"right"}}}]}`

// The life of a role with AWS's own SDK.
func TestRolesWithTheSDK(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	ctx, c := t.Context(), w.iam(w.user("admin", iam.Everything))
	made := must[*awsiam.CreateRoleOutput](t)(c.CreateRole(ctx, &awsiam.CreateRoleInput{
		RoleName: aws.String("cloud"), Path: aws.String("/p/"), AssumeRolePolicyDocument: aws.String(trustOwn), Description: aws.String("d"),
		MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("")}},
	})).Role
	if *made.Arn != "arn:aws:iam::123456789012:role/p/cloud" || !strings.HasPrefix(*made.RoleId, "AROA") || *made.Path != "/p/" || !near(made.CreateDate) ||
		*made.MaxSessionDuration != 7200 || len(made.Tags) != 2 {
		t.Errorf("made %+v", made)
	}
	got := must[*awsiam.GetRoleOutput](t)(c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("CLOUD")})).Role
	if text, err := url.QueryUnescape(*got.AssumeRolePolicyDocument); err != nil || text != trustOwn || *got.Description != "d" {
		t.Errorf("got %s, %v", text, err)
	}
	_, err := c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("cloud"), AssumeRolePolicyDocument: aws.String(trustOwn)})
	wantCode(t, err, "EntityAlreadyExists")
	name := aws.String("cloud")
	must[*awsiam.UpdateRoleOutput](t)(c.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: name, Description: aws.String("e"), MaxSessionDuration: aws.Int32(3600)}))
	if r := must[*awsiam.UpdateRoleDescriptionOutput](t)(c.UpdateRoleDescription(ctx, &awsiam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("f")})).Role; *r.Description != "f" || *r.MaxSessionDuration != 3600 {
		t.Errorf("updated %+v", r)
	}
	must[*awsiam.UpdateAssumeRolePolicyOutput](t)(c.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trustOwn)}))
	_, err = c.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(iam.Everything)})
	wantCode(t, err, "MalformedPolicyDocument")
	must[*awsiam.TagRoleOutput](t)(c.TagRole(ctx, &awsiam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("A"), Value: aws.String("2")}}}))
	must[*awsiam.UntagRoleOutput](t)(c.UntagRole(ctx, &awsiam.UntagRoleInput{RoleName: name, TagKeys: []string{"b"}}))
	if tags := must[*awsiam.ListRoleTagsOutput](t)(c.ListRoleTags(ctx, &awsiam.ListRoleTagsInput{RoleName: name})).Tags; len(tags) != 1 || *tags[0].Key != "A" || *tags[0].Value != "2" {
		t.Errorf("tags %+v", tags)
	}
	must[*awsiam.PutRolePolicyOutput](t)(c.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(iam.Everything)}))
	p := must[*awsiam.GetRolePolicyOutput](t)(c.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("p")}))
	if text, err := url.QueryUnescape(*p.PolicyDocument); err != nil || text != iam.Everything || *p.RoleName != "cloud" {
		t.Errorf("policy %+v", p)
	}
	if roles := must[*awsiam.ListRolesOutput](t)(c.ListRoles(ctx, &awsiam.ListRolesInput{PathPrefix: aws.String("/p")})).Roles; len(roles) != 1 || roles[0].Tags != nil {
		t.Errorf("listed %+v", roles)
	}
	_, err = c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "DeleteConflict")
	arn := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	_, err = c.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: arn})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.DetachRolePolicy(ctx, &awsiam.DetachRolePolicyInput{RoleName: name, PolicyArn: arn})
	wantCode(t, err, "NoSuchEntity")

	// What Terraform asks before it deletes a role.
	if l := must[*awsiam.ListInstanceProfilesForRoleOutput](t)(c.ListInstanceProfilesForRole(ctx, &awsiam.ListInstanceProfilesForRoleInput{RoleName: name})); len(l.InstanceProfiles) > 0 || l.IsTruncated {
		t.Errorf("%+v", l)
	}
	if l := must[*awsiam.ListAttachedRolePoliciesOutput](t)(c.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name})); len(l.AttachedPolicies) > 0 {
		t.Errorf("%+v", l)
	}
	for _, policy := range must[*awsiam.ListRolePoliciesOutput](t)(c.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: name})).PolicyNames {
		must[*awsiam.DeleteRolePolicyOutput](t)(c.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: name, PolicyName: &policy}))
	}
	must[*awsiam.DeleteRoleOutput](t)(c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name}))
	_, err = c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: name})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name})
	wantCode(t, err, "NoSuchEntity")
}

// AssumeRole with AWS's own SDK, and what the session is and may.
func TestAssumeRoleWithTheSDK(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	ctx := t.Context()
	c := w.sts(w.user("dev", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`))
	r := must[*iam.Role](t)(w.keys.CreateRole(ctx, iam.NewRole{Name: "cloud", Trust: trustOwn}))
	if err := w.keys.PutRolePolicy(ctx, "cloud", "p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:ListUsers","iam:GetUser"],"Resource":"*"}}`); err != nil {
		t.Fatal(err)
	}
	in := sts.AssumeRoleInput{RoleArn: &r.ARN, RoleSessionName: aws.String("s1"), ExternalId: aws.String("right"), DurationSeconds: aws.Int32(900)}
	got := must[*sts.AssumeRoleOutput](t)(c.AssumeRole(ctx, &in))
	if *got.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/cloud/s1" || *got.AssumedRoleUser.AssumedRoleId != r.ID+":s1" ||
		time.Until(*got.Credentials.Expiration) > 15*time.Minute || *got.SessionTokenSize != int32(len(*got.Credentials.SessionToken)) {
		t.Errorf("got %+v", got)
	}
	session := aws.Credentials{AccessKeyID: *got.Credentials.AccessKeyId, SecretAccessKey: *got.Credentials.SecretAccessKey, SessionToken: *got.Credentials.SessionToken}
	who := must[*sts.GetCallerIdentityOutput](t)(w.sts(session).GetCallerIdentity(ctx, nil))
	if *who.Arn != *got.AssumedRoleUser.Arn || *who.UserId != r.ID+":s1" || *who.Account != queryAccount {
		t.Errorf("who %s %s %s", *who.Arn, *who.UserId, *who.Account)
	}
	must[*awsiam.ListUsersOutput](t)(w.iam(session).ListUsers(ctx, nil))
	_, err := w.iam(session).ListRoles(ctx, nil)
	wantCode(t, err, "AccessDenied")
	_, err = w.iam(session).GetUser(ctx, nil) // it is no user
	wantCode(t, err, "ValidationError")

	in.Policy = aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}}`)
	less := must[*sts.AssumeRoleOutput](t)(c.AssumeRole(ctx, &in))
	if *less.SessionTokenUtilization <= *got.SessionTokenUtilization || *less.SessionTokenUtilization > 100 {
		t.Errorf("the policy takes no room: %d, %d", *less.SessionTokenUtilization, *got.SessionTokenUtilization)
	}
	bounded := aws.Credentials{AccessKeyID: *less.Credentials.AccessKeyId, SecretAccessKey: *less.Credentials.SecretAccessKey, SessionToken: *less.Credentials.SessionToken}
	_, err = w.iam(bounded).ListUsers(ctx, nil)
	wantCode(t, err, "AccessDenied")

	in.Policy, in.ExternalId = nil, aws.String("wrong")
	_, err = c.AssumeRole(ctx, &in)
	wantCode(t, err, "AccessDenied")
	in.ExternalId, in.DurationSeconds = aws.String("right"), aws.Int32(3601)
	_, err = c.AssumeRole(ctx, &in)
	wantCode(t, err, "ValidationError")
}

func TestRoleOperationsRefused(t *testing.T) {
	w := newQueryWorld(t)
	if _, err := w.keys.CreateRole(t.Context(), iam.NewRole{Name: "cloud", Trust: trustOwn}); err != nil {
		t.Fatal(err)
	}
	const iamForm, stsForm = "&Version=2010-05-08", "&Version=2011-06-15"
	const assume = "Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/cloud&RoleSessionName=s1" + stsForm
	for _, c := range []struct {
		name, form string
		status     int
		code       string
		words      string
	}{
		{"no role's name", "Action=GetRole" + iamForm, 400, "ValidationError", "'roleName'"},
		{"no such role", "Action=GetRole&RoleName=x" + iamForm, 404, "NoSuchEntity", "role with name x cannot be found"},
		{"no trust", "Action=CreateRole&RoleName=x" + iamForm, 400, "ValidationError", "'assumeRolePolicyDocument'"},
		{"an empty path", "Action=CreateRole&RoleName=x&Path=&AssumeRolePolicyDocument=%7B%7D" + iamForm, 400, "ValidationError", "path"},
		{"a short session", "Action=CreateRole&RoleName=x&MaxSessionDuration=900&AssumeRolePolicyDocument=%7B%7D" + iamForm, 400, "ValidationError", "maxSessionDuration"},
		{"a boundary", "Action=CreateRole&RoleName=x&PermissionsBoundary=arn&AssumeRolePolicyDocument=%7B%7D" + iamForm, 501, "NotImplemented", "PermissionsBoundary"},
		{"a tag without a key", "Action=TagRole&RoleName=cloud&Tags.member.1.Value=a" + iamForm, 400, "ValidationError", "Key"},
		{"a hole in a list", "Action=TagRole&RoleName=cloud&Tags.member.2.Key=a&Tags.member.2.Value=a" + iamForm, 400, "ValidationError", "tags"},
		{"another field", "Action=TagRole&RoleName=cloud&Tags.member.1.Key=a&Tags.member.1.Colour=a" + iamForm, 400, "ValidationError", "tags"},
		{"no managed policy", "Action=AttachRolePolicy&RoleName=cloud" + iamForm, 400, "ValidationError", "'policyArn'"},
		{"a short ARN", "Action=AttachRolePolicy&RoleName=cloud&PolicyArn=arn" + iamForm, 400, "ValidationError", "policyArn"},
		{"a managed policy", "Action=AttachRolePolicy&RoleName=cloud&PolicyArn=arn:aws:iam::aws:policy/X" + iamForm, 404, "NoSuchEntity", "PutRolePolicy"},
		{"no description", "Action=UpdateRoleDescription&RoleName=cloud" + iamForm, 400, "ValidationError", "'description'"},
		{"paths that are none", "Action=ListRoles&PathPrefix=x" + iamForm, 400, "ValidationError", "pathPrefix"},
		{"no role to assume", "Action=AssumeRole&RoleSessionName=s1" + stsForm, 400, "ValidationError", "'roleArn'"},
		{"no session's name", "Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/cloud" + stsForm, 400, "ValidationError", "'roleSessionName'"},
		{"a session of a minute", assume + "&DurationSeconds=60", 400, "ValidationError", "durationSeconds"},
		{"an empty external id", assume + "&ExternalId=", 400, "ValidationError", "externalId"},
		{"managed policies", assume + "&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/X", 501, "NotImplemented", "PolicyArns"},
		{"tags of a session", assume + "&Tags.member.1.Key=a&Tags.member.1.Value=b", 501, "NotImplemented", "Tags"},
		{"a second factor", assume + "&SerialNumber=123456789&TokenCode=123456", 501, "NotImplemented", "is not implemented"},
		{"the root of the admin socket", assume, 403, "AccessDenied", "Roles may not be assumed by root accounts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.root(http.MethodPost, formType, c.form)
			if f := readFailure(t, answer); answer.Code != c.status || f.Error.Code != c.code || !strings.Contains(f.Error.Message, c.words) {
				t.Errorf("%d %+v, want %d %s %q", answer.Code, f.Error, c.status, c.code, c.words)
			}
		})
	}
}

// Who may not assume a role is noted with the reason, as are other refusals.
func TestRefusedAssumeRoleIsNoted(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	c := w.user("dev", iam.Everything)
	if _, err := w.keys.CreateRole(t.Context(), iam.NewRole{Name: "cloud", Trust: trustOwn}); err != nil {
		t.Fatal(err)
	}
	id := must[*iam.Identity](t)(w.keys.Identify(t.Context(), c.AccessKeyID, ""))
	var noted []awsapi.Denial
	caller := awsapi.Caller{ARN: id.ARN, Identity: id, Policies: id.Policies, Vars: id.Vars, Service: "sts", Denied: func(d awsapi.Denial) { noted = append(noted, d) }}
	answer := w.as(caller, formOf(t, "Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/cloud&RoleSessionName=s1&Version=2011-06-15"))
	if f := readFailure(t, answer); f.Error.Code != "AccessDenied" || len(noted) != 1 || noted[0].Action != "sts:AssumeRole" || !strings.Contains(noted[0].Err.Remedy, "sts:ExternalId is absent") {
		t.Errorf("%+v, noted %+v", f.Error, noted)
	}
}
