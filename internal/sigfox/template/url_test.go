package template

import (
	"fmt"
	"strings"
	"testing"
)

func TestURLsThatAreTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url         string
		credentials bool
	}{
		{"https://example.com", false},
		{"http://127.0.0.1:8080/a/{device}?t={time}&x={customData#temp}", false},
		{"HTTPS://example.com?d={device}", false},
		{"https://[2001:db8::1]:443/", false},
		{"https://login:password@example.com/{data}", true},
		{"https://login:p%40ss@example.com", true},
		{"https://login@example.com/", true},
		{"https://example.com/a@b", false},
	} {
		if got := parse(t, c.url, Uplink, URL).HasCredentials(); got != c.credentials {
			t.Errorf("%s: credentials %v", c.url, got)
		}
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, words string }{
		{"", "does not begin with http:// or https://"},
		{"example.com/{device}", "does not begin with http:// or https://"},
		{"ftp://example.com/", "does not begin with http:// or https://"},
		{"{data}://example.com/", "does not begin with http:// or https://"},
		{"https://{device}/", "{device} before its path"},
		{"https://{customData#name}.example.com/", "{customData#name} before its path"},
		{"https://example.com{device}", "{device} before its path"},
		{"https://example.com:{time}/", "{time} before its path"},
		{"https://{device}:x@example.com/", "{device} before its path"},
		{"https:///path", "has no host"},
		{"https://:80/", "has no host"},
		{"https://example.com:99999/", "has port"},
		{"https://example.com:0/", "has port"},
		{"https://example.com:/", "has port"},
		{"https://example.com:x/", "cannot be read"},
		{"https://example.com/%zz", "cannot be read"},
		{"https://exa%mple.com/", "cannot be read"},
		{"https://example.com/#top", "fragment at character 21"},
		{"https://example.com/{device}#top", "fragment at character 29"},
		{"https://example.com/a b", "' ' at character 22"},
		{"https://example.com/?a=b HTTP/1.1\r\nX: y", "' ' at character 25"},
		{"https://example.com/\r\n", "at character 21"},
		{"https://example.com/{device", "'{' at character 21"},
		{"https://example.com/?a={x y}", "'{' at character 24"},
		{"https://exämple.com/", "'ä' at character 11"},
	} {
		_, err := Parse(c.url, Uplink, config(t, mixed), URL)
		wantRefusal(t, c.url, err, c.words)
	}
}

func TestRefusedURLKeepsItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://login:hush@example.com:0/", "https://login:hush@example.com/%zz", "ftp://login:hush@example.com", "https://login:hu@hush@:1/",
		"https://login:hush@exa%mple.com?a",
	} {
		_, err := Parse(url, Uplink, config(t, ""), URL)
		wantRefusal(t, url, err, "login:***@")
		if strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("the password is told: %v", err)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	plain, login := parse(t, "https://example.com/", Uplink, URL), parse(t, "https://a:b@example.com/", Uplink, URL)
	good := []Header{{"Authorization", "Bearer x"}, {"X-Device", "{device} {customData#temp}"}, {"x-amz-topic", ""}}
	all, err := ParseHeaders(good, Uplink, config(t, mixed), plain)
	if err != nil || len(all) != 3 || all[1].Name != "X-Device" {
		t.Fatalf("%+v, %v", all, err)
	}
	if got, err := all[1].Value.Render(Map{"device": "2DC7C1\r\nHost: evil"}); err != nil || got != "2DC7C1Host: evil null" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ParseHeaders(good[1:], Uplink, config(t, mixed), login); err != nil {
		t.Error(err)
	}
	many := make([]Header, MaxHeaders+1)
	for i := range many {
		many[i] = Header{fmt.Sprintf("X-%d", i), ""}
	}
	for _, c := range []struct {
		headers []Header
		url     *Template
		words   string
	}{
		{good, login, "a login in its URL and a header Authorization"},
		{[]Header{{"X-a", "1"}, {"x-A", "2"}}, plain, "header x-A is there twice"},
		{[]Header{{"X-{device}", ""}}, plain, "has a variable"},
		{[]Header{{"{device}", ""}}, plain, "has a variable"},
		{[]Header{{"X a", ""}}, plain, "is no header name"},
		{[]Header{{"X\r\nY", ""}}, plain, "is no header name"},
		{[]Header{{"", ""}}, plain, "is no header name"},
		{[]Header{{"é", ""}}, plain, "is no header name"},
		{[]Header{{"X-a", "{foo}"}}, plain, "unknown variable {foo} in the header value"},
		{many, plain, "21 headers, 20 are allowed"},
	} {
		_, err := ParseHeaders(c.headers, Uplink, config(t, mixed), c.url)
		wantRefusal(t, fmt.Sprint(c.headers), err, c.words)
	}
	for _, name := range []string{
		"Host", "host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Cookie", "User-Agent", "Accept", "Accept-Encoding", "Date",
		"Expect", "Upgrade", "Proxy-Authorization", "Referer", "TE", "Range", "If-Match",
	} {
		_, err := ParseHeaders([]Header{{name, ""}}, Uplink, config(t, mixed), plain)
		wantRefusal(t, name, err, "of these only Authorization may be set")
	}
	batch := parse(t, "https://example.com/{batch}", Uplink, BatchURL)
	if _, err := ParseHeaders([]Header{{"X-Batch", "{batch}"}}, Uplink, config(t, ""), batch); err != nil {
		t.Error(err)
	}
}
