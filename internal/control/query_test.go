package control

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/sigv4"
)

const formType = "application/x-www-form-urlencoded; charset=utf-8"

type xmlFailure struct {
	XMLName xml.Name
	Error   struct{ Type, Code, Message string }
	ID      string `xml:"RequestId"`
}

func readFailure(t testing.TB, answer *httptest.ResponseRecorder) xmlFailure {
	t.Helper()
	var f xmlFailure
	if err := xml.Unmarshal(answer.Body.Bytes(), &f); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	if f.XMLName.Local != "ErrorResponse" || f.ID == "" || f.ID != answer.Header().Get("x-amzn-RequestId") || answer.Header().Get("Content-Type") != "text/xml" {
		t.Errorf("not the shape of an error: %v %s", answer.Header(), answer.Body)
	}
	return f
}

// The text of an answer, byte for byte but for the id: what AWS's clients were seen to accept.
func TestQueryAnswerText(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		answer := w.root(method, formType, "Action=GetCallerIdentity&Version=2011-06-15")
		id := answer.Header().Get("x-amzn-RequestId")
		want := `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
			`<Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId><Account>123456789012</Account></GetCallerIdentityResult>` +
			`<ResponseMetadata><RequestId>` + id + `</RequestId></ResponseMetadata></GetCallerIdentityResponse>`
		if got := answer.Body.String(); got != want || answer.Code != http.StatusOK || id == "" {
			t.Errorf("%s: %d\n got %s\nwant %s", method, answer.Code, got, want)
		}
	}
	answer := w.root(http.MethodPost, formType, "Action=CreateUser&Version=2010-05-08&UserName=a&Tags=")
	if answer.Code != http.StatusOK {
		t.Fatal(answer.Body)
	}
	answer = w.root(http.MethodPost, formType, "Action=ListAccessKeys&Version=2010-05-08&UserName=a")
	if got := answer.Body.String(); !strings.Contains(got, "<ListAccessKeysResult><AccessKeyMetadata></AccessKeyMetadata><IsTruncated>false</IsTruncated></ListAccessKeysResult>") {
		t.Errorf("an empty list is an element without members, got %s", got)
	}
	answer = w.root(http.MethodPost, formType, "Action=DeleteUser&Version=2010-05-08&UserName=a")
	if got := answer.Body.String(); strings.Contains(got, "Result>") || !strings.Contains(got, "<DeleteUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata>") {
		t.Errorf("no output is no Result, got %s", got)
	}
}

func TestQueryRefusesBadInput(t *testing.T) {
	w := newQueryWorld(t)
	w.create("dev", "")
	const iamForm, stsForm = "&Version=2010-05-08", "&Version=2011-06-15"
	for _, c := range []struct {
		name, form string
		status     int
		code       string
		words      string
	}{
		{"no action", "Version=2010-05-08", 400, "MissingAction", "Action"},
		{"an action that nobody has", "Action=Frobnicate" + iamForm, 400, "InvalidAction", "Could not find operation Frobnicate for version 2010-05-08"},
		{"an action of another service", "Action=GetCallerIdentity" + iamForm, 400, "InvalidAction", "GetCallerIdentity"},
		{"no version", "Action=GetUser", 400, "InvalidAction", "NO_VERSION_SPECIFIED"},
		{"an identity of the web", "Action=AssumeRoleWithWebIdentity" + stsForm, 501, "NotImplemented", "sts:AssumeRoleWithWebIdentity"},
		{"a managed policy", "Action=CreatePolicy" + iamForm, 501, "NotImplemented", "iam:CreatePolicy"},
		{"a set of stacks", "Action=CreateStackSet&Version=2010-05-15", 501, "NotImplemented", "cloudformation:CreateStackSet"},
		{"a member twice", "Action=GetUser&UserName=a&UserName=b" + iamForm, 400, "ValidationError", "UserName"},
		{"the action twice", "Action=GetUser&Action=DeleteUser" + iamForm, 400, "ValidationError", "Action"},
		{"not a form", "Action=%zz", 400, "MalformedInput", "form"},
		{"semicolons", "Action=GetUser;Version=2010-05-08", 400, "MalformedInput", "form"},
		{"no user", "Action=CreateUser" + iamForm, 400, "ValidationError", "Value null at 'userName'"},
		{"no user, nobody signed", "Action=GetUser" + iamForm, 400, "ValidationError", "Must specify userName"},
		{"an empty name", "Action=CreateUser&UserName=" + iamForm, 400, "ValidationError", "userName"},
		{"a long name", "Action=CreateUser&UserName=" + strings.Repeat("a", 65) + iamForm, 400, "ValidationError", "userName"},
		{"a name with a slash", "Action=CreateUser&UserName=a%2Fb" + iamForm, 400, "ValidationError", "userName"},
		{"a path", "Action=CreateUser&UserName=a&Path=%2Fx%2F" + iamForm, 501, "NotImplemented", "Path"},
		{"tags", "Action=CreateUser&UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v" + iamForm, 501, "NotImplemented", "Tags"},
		{"a boundary", "Action=CreateUser&UserName=a&PermissionsBoundary=arn" + iamForm, 501, "NotImplemented", "PermissionsBoundary"},
		{"no such user", "Action=GetUser&UserName=nobody" + iamForm, 404, "NoSuchEntity", "nobody"},
		{"no key", "Action=DeleteAccessKey&UserName=dev" + iamForm, 400, "ValidationError", "'accessKeyId'"},
		{"a short key", "Action=DeleteAccessKey&UserName=dev&AccessKeyId=AKIA" + iamForm, 400, "ValidationError", "accessKeyId"},
		{"no status", "Action=UpdateAccessKey&UserName=dev&AccessKeyId=AKIAAAAAAAAAAAAAAAAA" + iamForm, 400, "ValidationError", "'status'"},
		{"no such key", "Action=DeleteAccessKey&UserName=dev&AccessKeyId=AKIAAAAAAAAAAAAAAAAA" + iamForm, 404, "NoSuchEntity", "AKIA"},
		{"no policy name", "Action=GetUserPolicy&UserName=dev" + iamForm, 400, "ValidationError", "'policyName'"},
		{"no document", "Action=PutUserPolicy&UserName=dev&PolicyName=p" + iamForm, 400, "ValidationError", "'policyDocument'"},
		{"a page of nothing", "Action=ListUsers&MaxItems=0" + iamForm, 400, "ValidationError", "maxItems"},
		{"a page of too many", "Action=ListUsers&MaxItems=1001" + iamForm, 400, "ValidationError", "maxItems"},
		{"a page of words", "Action=ListUsers&MaxItems=all" + iamForm, 400, "ValidationError", "maxItems"},
		{"a foreign marker", "Action=ListUsers&Marker=QUJD" + iamForm, 400, "ValidationError", "marker"},
		{"an empty marker", "Action=ListUsers&Marker=" + iamForm, 400, "ValidationError", "marker"},
		{"no path prefix", "Action=ListUsers&PathPrefix=x" + iamForm, 400, "ValidationError", "pathPrefix"},
		{"a session of the root", "Action=GetSessionToken" + stsForm, 403, "AccessDenied", "thingwire key create"},
		{"a session of words", "Action=GetSessionToken&DurationSeconds=1h" + stsForm, 400, "ValidationError", "durationSeconds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.root(http.MethodPost, formType, c.form)
			f := readFailure(t, answer)
			kind := map[bool]string{false: "Sender", true: "Receiver"}[c.status >= 500]
			if answer.Code != c.status || f.Error.Code != c.code || f.Error.Type != kind || !strings.Contains(f.Error.Message, c.words) {
				t.Errorf("%d %+v, want %d %s %q", answer.Code, f.Error, c.status, c.code, c.words)
			}
		})
	}
}

func TestQueryRefusesOtherBodies(t *testing.T) {
	w := newQueryWorld(t)
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	for _, c := range []struct {
		name, method, contentType, body string
		status                          int
		code                            string
	}{
		{"JSON", http.MethodPost, "application/json", `{"Action":"GetCallerIdentity"}`, 400, "MalformedInput"},
		{"no type", http.MethodPost, "", form, 400, "MalformedInput"},
		{"a broken type", http.MethodPost, "application/x-www-form-urlencoded; =", form, 400, "MalformedInput"},
		{"PUT", http.MethodPut, formType, form, 400, "MalformedInput"},
		{"ten megabytes", http.MethodPost, formType, form + "&x=" + strings.Repeat("a", 10<<20), 413, "RequestEntityTooLarge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.root(c.method, c.contentType, c.body)
			if f := readFailure(t, answer); answer.Code != c.status || f.Error.Code != c.code {
				t.Errorf("%d %+v, want %d %s", answer.Code, f.Error, c.status, c.code)
			}
		})
	}
}

// The signature binds the service: what was signed for sts cannot call iam, whatever the form says.
func TestQuerySignedServiceDecides(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	caller := awsapi.Root(queryAccount)
	caller.Service = "sts"
	if f := readFailure(t, w.as(caller, formOf(t, "Action=ListUsers&Version=2010-05-08"))); f.Error.Code != "InvalidAction" {
		t.Errorf("got %+v", f.Error)
	}
}

func TestQueryWithoutACaller(t *testing.T) {
	t.Parallel()
	w := newQueryWorld(t)
	answer := httptest.NewRecorder()
	NewQuery(QueryConfig{Keys: w.keys}).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?Action=GetCallerIdentity&Version=2011-06-15", http.NoBody))
	if f := readFailure(t, answer); answer.Code != http.StatusForbidden || f.Error.Code != "MissingAuthenticationToken" {
		t.Errorf("%d %+v", answer.Code, f.Error)
	}
}

func TestQueryFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{errors.New("disk /dev/sda1 broke"), 500, "InternalFailure"},
		{fault.Wrap(fault.Internal, iam.ErrNoSuchEntity, "inside"), 500, "InternalFailure"},
		{fault.Wrap(fault.Unauthenticated, sigv4.ErrIncomplete, "x"), 400, "IncompleteSignature"},
		{fault.Wrap(fault.Unauthenticated, sigv4.ErrExpired, "x"), 403, "SignatureDoesNotMatch"},
		{fault.Wrap(fault.Unauthenticated, sigv4.ErrScope, "x"), 403, "SignatureDoesNotMatch"},
		{fault.Wrap(fault.Unauthenticated, iam.ErrExpiredToken, "x"), 403, "ExpiredToken"},
		{fault.New(fault.Unavailable, "x"), 503, "ServiceUnavailable"},
		{fault.Wrap(fault.Throttled, iam.ErrLimitExceeded, "x"), 409, "LimitExceeded"},
	} {
		answer := httptest.NewRecorder()
		WriteQueryFailure(answer, c.err)
		f := readFailure(t, answer)
		if answer.Code != c.status || f.Error.Code != c.code || strings.Contains(f.Error.Message, "sda1") || strings.Contains(f.Error.Message, "inside") {
			t.Errorf("%v: %d %+v, want %d %s", c.err, answer.Code, f.Error, c.status, c.code)
		}
	}
	for kind, s := range queryKinds {
		if s.Code < 400 || s.Name == "" {
			t.Errorf("kind %s: %+v", fault.Kind(kind), s)
		}
	}
}

// Whatever comes, the answer is XML with a request id, and nothing changes users but the operations that do.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"Action=GetCallerIdentity&Version=2011-06-15", "Action=ListUsers&Version=2010-05-08&MaxItems=1&Marker=QUJD",
		"Action=PutUserPolicy&Version=2010-05-08&UserName=dev&PolicyName=p&PolicyDocument=%7B%7D", "Action=CreateUser&Version=2010-05-08&UserName=%00",
		"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/dev&RoleSessionName=s1&ExternalId=x",
		"Action=CreateRole&Version=2010-05-08&RoleName=x&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a&Tags.member.1.Value=b",
		"Action=GetUserPolicy&Version=2010-05-08&UserName=dev&PolicyName=%F0%9F", "%zz", "a=1;b=2", "Action&Version", "Action=%EF%BF%BE&Version=\x01",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	w := newQueryWorld(f)
	w.create("dev", iam.Everything)
	f.Fuzz(func(t *testing.T, form string, post bool) {
		method, body := http.MethodPost, form
		if !post {
			method, body = http.MethodGet, ""
		}
		r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", formType)
		if !post {
			r.URL.RawQuery = form
		}
		answer := (&queryWorld{t: t, keys: w.keys}).as(awsapi.Root(queryAccount), r)
		var root struct{ XMLName xml.Name }
		if err := xml.Unmarshal(answer.Body.Bytes(), &root); err != nil {
			t.Fatalf("%v: %q", err, answer.Body)
		}
		if ok := answer.Code == http.StatusOK; ok == (root.XMLName.Local == "ErrorResponse") || answer.Header().Get("x-amzn-RequestId") == "" {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		if answer.Code == http.StatusInternalServerError {
			t.Errorf("%q fails inside: %s", form, answer.Body)
		}
	})
}
