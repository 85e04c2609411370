package server

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestEndpointURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://localhost:9443":     "https://localhost:9443",
		"https://iot.example.org/":   "https://iot.example.org",
		"https://iot.example.org/b/": "https://iot.example.org/b",
		"http://127.0.0.1:8080":      "http://127.0.0.1:8080",
		"http://[::1]:8080":          "http://[::1]:8080",
		"http://localhost:8080":      "http://localhost:8080",
		"":                           "",
		"localhost:9443":             "",
		"ftp://localhost":            "",
		"https://":                   "",
		"https://u:p@localhost":      "",
		"https://localhost?a=b":      "",
		"http://192.0.2.1":           "",
		"http://localhost.example":   "",
	} {
		got, err := endpointURL(text)
		if got != want || (err == nil) == (want == "") || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestReadQueryResult(t *testing.T) {
	t.Parallel()
	var out struct{ A string }
	for text, want := range map[string]string{
		`<XResponse><XResult><A>a</A></XResult><ResponseMetadata/></XResponse>`: "a",
		`<XResponse><ResponseMetadata/></XResponse>`:                            "no result",
		`<XResult><A>a</A></XResult>`:                                           "no result",
		`<XResponse><XResult><A>`:                                               "XML",
		`{}`:                                                                    "no result",
	} {
		out.A = ""
		err := readQueryResult([]byte(text), &out)
		if err == nil && out.A != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", text, out.A, err)
		}
	}
	if code, message := queryRefusal([]byte(`<ErrorResponse xmlns="u"><Error><Code>c</Code><Message>m</Message></Error></ErrorResponse>`)); code != "c" || message != "m" {
		t.Errorf("%q %q", code, message)
	}
	if code, message := queryRefusal([]byte(`{"message":"m"}`)); code+message != "" {
		t.Errorf("%q %q", code, message)
	}
}

// Answers of a server elsewhere are foreign bytes.
func FuzzQueryAnswers(f *testing.F) {
	f.Add([]byte(`<XResponse><XResult><AccessKeyMetadata><member><CreateDate>2026-01-01T00:00:00Z</CreateDate></member></AccessKeyMetadata></XResult></XResponse>`))
	f.Add([]byte(`<ErrorResponse><Error><Code>c</Code></Error></ErrorResponse>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out struct {
			Keys []AccessKey `xml:"AccessKeyMetadata>member"`
			nextPage
		}
		if readQueryResult(data, &out) != nil && len(out.Keys) > len(data) {
			t.Errorf("%d keys in %d bytes", len(out.Keys), len(data))
		}
		queryRefusal(data)
	})
}
