package delivery

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestMaskURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/x?device=2DC7C1":               "https://a.example/x?device=2DC7C1",
		"https://login:password@a.example/x":              "https://***@a.example/x",
		"https://login:p@ss@a.example/x@y":                "https://***@a.example/x@y",
		"https://login:password@":                         "https://***@",
		"https://a.example/x?api_key=1&token=2&id=3&t":    "https://a.example/x?api_key=***&token=***&id=3&t",
		"https://a.example/x?access%5Ftoken=1":            "https://a.example/x?access%5Ftoken=***",
		"https://a.example/x?%zz=1&key=2":                 "https://a.example/x?%zz=***&key=***",
		"https://a.example?x=https://u:p@b.example&sig=1": "https://a.example?x=https://u:p@b.example&sig=***",
		"no url?password=1":                               "no url?password=***",
		"":                                                "",
	} {
		if got := MaskURL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// What was sent is shown, but not what opens doors.
func TestSentHasNoSecrets(t *testing.T) {
	s := open(t, Config{})
	out := s.Deliver(t.Context(), &Request{
		Channel: URL, Method: "POST", URL: "http://login:opensesame@127.0.0.1:1/?apikey=opensesame&d=1", Body: "{}", ContentType: "application/json",
		Headers: []Header{{"Authorization", "Basic opensesame"}, {"X-Api-Key", "opensesame"}, {"X-Device", "2DC7C1"}},
	})
	if text := fmt.Sprintf("%+v", out); strings.Contains(text, "opensesame") {
		t.Error(text)
	}
	a := out.Attempted
	if a.Method != http.MethodPost || a.Body != "{}" || a.ContentType != "application/json" || len(a.Headers) != 3 || a.Headers[2].Value != "2DC7C1" || a.Headers[0].Value != masked {
		t.Errorf("%+v", a)
	}
	key := Key{"AKIA", "opensesame", "opensesame"}
	if text := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(text, "opensesame") {
		t.Error(text)
	}
}

// The login of whatever the callback takes for a URL is never shown.
func FuzzMaskURL(f *testing.F) {
	for _, seed := range []string{"https://login:password@a.example/x?token=1", "http://[::1]:80/", "//u:p@h", "?", "http://a@b@c", "a://b?c=d&e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := MaskURL(text)
		u, err := url.Parse(text)
		if err != nil || u.User == nil || u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		shown, err := url.Parse(got)
		if err != nil || shown.User == nil || shown.User.String() != "%2A%2A%2A" && shown.User.String() != masked || shown.Host != u.Host {
			t.Errorf("%q is shown as %q", text, got)
		}
	})
}
