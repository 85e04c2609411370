package control

import (
	"strings"
	"testing"
)

func TestLoggingOptionOperations(t *testing.T) {
	w := newWorld(t)
	const options, level = "/v2LoggingOptions", "/v2LoggingLevel"
	w.refused(404, "NotConfiguredException", "GET", options, "")
	w.refused(404, "NotConfiguredException", "GET", level, "")
	w.refused(404, "NotConfiguredException", "POST", level, `{"logTarget":{"targetType":"CLIENT_ID","targetName":"lamp"},"logLevel":"INFO"}`)
	if a := w.ok("GET", "/loggingOptions", ""); a.text != "{}" {
		t.Errorf("the older options before they are set: %s", a.text)
	}
	w.ok("DELETE", level+"?targetType=CLIENT_ID&targetName=lamp", "")

	const role = "arn:aws:iam::000000000000:role/logs"
	if a := w.ok("POST", options, `{"roleArn":"`+role+`","defaultLogLevel":"WARN","eventConfigurations":[{"eventType":"Connect","logLevel":"DEBUG"}]}`); a.text != "{}" {
		t.Errorf("set: %s", a.text)
	}
	want := `{"roleArn":"` + role + `","defaultLogLevel":"WARN","disableAllLogs":false,"eventConfigurations":[{"eventType":"Connect","logLevel":"DEBUG"}]}`
	if a := w.ok("GET", options, ""); a.text != want {
		t.Errorf("got %s", a.text)
	}
	if a := w.ok("GET", options+"?verbose=true", ""); !strings.Contains(a.text, `[{"eventType":"Connect","logLevel":"DEBUG"},{"eventType":"Disconnect","logLevel":"WARN"}]`) {
		t.Errorf("verbose: %s", a.text)
	}
	w.ok("POST", options, `{"disableAllLogs":true}`)
	if a := w.ok("GET", "/loggingOptions", ""); a.text != `{"roleArn":"`+role+`","logLevel":"DISABLED"}` {
		t.Errorf("the older options: %s", a.text)
	}
	w.ok("POST", "/loggingOptions", `{"roleArn":"`+role+`2","logLevel":"ERROR"}`)
	if a := w.ok("GET", "/loggingOptions", ""); a.text != `{"roleArn":"`+role+`2","logLevel":"ERROR"}` {
		t.Errorf("the older options: %s", a.text)
	}
	if b := w.ok("GET", options, "").body; b["defaultLogLevel"] != "ERROR" || b["disableAllLogs"] != false {
		t.Errorf("after the older operation: %v", b)
	}
}

func TestLoggingLevelOperations(t *testing.T) {
	w := newWorld(t)
	const level = "/v2LoggingLevel"
	w.ok("POST", "/v2LoggingOptions", `{"defaultLogLevel":"ERROR"}`)
	for _, target := range []string{
		`{"targetType":"CLIENT_ID","targetName":"lamp/1"}`, `{"targetType":"CLIENT_ID","targetName":"door"}`,
		`{"targetType":"PRINCIPAL_ID","targetName":"c0ffee"}`, `{"targetType":"SOURCE_IP","targetName":"192.0.2.1"}`,
	} {
		if a := w.ok("POST", level, `{"logTarget":`+target+`,"logLevel":"INFO"}`); a.text != "{}" {
			t.Errorf("set: %s", a.text)
		}
	}
	all := w.pages("GET", level, "maxResults", "nextToken", "nextToken", "logTargetConfigurations", 5)
	if len(all) != 5 {
		t.Errorf("listed %v", all)
	}
	want := `{"logTargetConfigurations":[{"logTarget":{"targetType":"DEFAULT"},"logLevel":"ERROR"}]}`
	if a := w.ok("GET", level+"?targetType=DEFAULT", ""); a.text != want {
		t.Errorf("the default: %s", a.text)
	}
	if a := w.ok("DELETE", level+"?targetType=CLIENT_ID&targetName=lamp%2F1", ""); a.text != "{}" {
		t.Errorf("deleted: %s", a.text)
	}
	want = `{"logTargetConfigurations":[{"logTarget":{"targetType":"CLIENT_ID","targetName":"door"},"logLevel":"INFO"}]}`
	if a := w.ok("GET", level+"?targetType=CLIENT_ID", ""); a.text != want {
		t.Errorf("after the deletion: %s", a.text)
	}
}

func TestLoggingRefused(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/v2LoggingOptions", `{}`)
	for _, c := range []struct {
		status                       int
		exception                    string
		method, target, body, reason string
	}{
		{400, "InvalidRequestException", "POST", "/v2LoggingOptions", `{"defaultLogLevel":"LOUD"}`, "log level"},
		{400, "InvalidRequestException", "POST", "/v2LoggingOptions", `{"roleArn":"role"}`, "ARN"},
		{400, "InvalidRequestException", "POST", "/v2LoggingOptions", `{"disableAllLogs":"yes"}`, "SetV2LoggingOptions"},
		{400, "InvalidRequestException", "POST", "/v2LoggingOptions", `{"eventConfigurations":[{"eventType":"Ping"}]}`, "Connect, Disconnect"},
		{501, "NotImplementedException", "POST", "/v2LoggingOptions", `{"eventConfigurations":[{"eventType":"Connect","logDestination":"g"}]}`, "logDestination"},
		{400, "InvalidRequestException", "GET", "/v2LoggingOptions?verbose=1", "", "verbose"},
		{400, "InvalidRequestException", "POST", "/v2LoggingLevel", `{"logLevel":"INFO"}`, "type of log targets"},
		{400, "InvalidRequestException", "POST", "/v2LoggingLevel", `{"logTarget":{"targetType":"CLIENT_ID"},"logLevel":"INFO"}`, "characters"},
		{400, "InvalidRequestException", "POST", "/v2LoggingLevel", `{"logTarget":{"targetType":"CLIENT_ID","targetName":"a"}}`, "log level"},
		{400, "InvalidRequestException", "POST", "/v2LoggingLevel", `{"logTarget":{"targetType":"SOURCE_IP","targetName":"a"},"logLevel":"INFO"}`, "IP address"},
		{501, "NotImplementedException", "POST", "/v2LoggingLevel", `{"logTarget":{"targetType":"THING_GROUP","targetName":"g"},"logLevel":"INFO"}`, "thing groups"},
		{400, "InvalidRequestException", "GET", "/v2LoggingLevel?targetType=LAMP", "", "LAMP"},
		{400, "InvalidRequestException", "GET", "/v2LoggingLevel?maxResults=251", "", "maxResults"},
		{400, "InvalidRequestException", "DELETE", "/v2LoggingLevel?targetType=DEFAULT&targetName=a", "", "default"},
		{400, "InvalidRequestException", "DELETE", "/v2LoggingLevel?targetType=CLIENT_ID", "", "characters"},
		{400, "InvalidRequestException", "POST", "/loggingOptions", `{"logLevel":"INFO"}`, "roleArn"},
		{400, "InvalidRequestException", "POST", "/loggingOptions", `{"roleArn":"arn:aws:iam::0:role/a","logLevel":"LOUD"}`, "log level"},
	} {
		if a := w.refused(c.status, c.exception, c.method, c.target, c.body); !strings.Contains(a.message(), c.reason) {
			t.Errorf("%s %s %s: %q", c.method, c.target, c.body, a.message())
		}
	}
}
