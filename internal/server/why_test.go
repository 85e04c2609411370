package server

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// journalDoor serves a journal to one caller.
func journalDoor(t *testing.T, by awsapi.Caller) (*journal.Journal, *httptest.Server) {
	t.Helper()
	j, err := journal.Open(journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	api := &journalAPI{journal: j, log: slog.New(slog.DiscardHandler)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r.WithContext(awsapi.WithCaller(r.Context(), by)))
	}))
	t.Cleanup(func() {
		s.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j, s
}

func getJournal(ctx context.Context, t *testing.T, s *httptest.Server, params string) (status int, header http.Header, in *bufio.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+journalPath+"?"+params, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp.StatusCode, resp.Header, bufio.NewReader(resp.Body)
}

func TestJournalAPI(t *testing.T) {
	t.Parallel()
	j, s := journalDoor(t, awsapi.Root("000000000000"))
	j.Record(journal.Entry{EventType: journal.Connect, ClientID: "lamp"})
	j.Record(journal.Entry{EventType: journal.Connect, ClientID: "door"})
	j.Record(journal.Entry{EventType: journal.AuthNError, Reason: journal.ReasonHandshake, Cause: "<none>"})
	for _, tc := range []struct{ params, want string }{
		{"", "lamp door -"},
		{"clientId=lamp", "lamp"},
		{"limit=1", "-"},
		{"since=1h&limit=2", "door -"},
		{"failures=true", "-"},
		{"unnamed=true", "-"},
		{"since=2999-01-01T00:00:00Z", ""},
	} {
		status, header, in := getJournal(t.Context(), t, s, tc.params)
		if status != http.StatusOK || header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%q: %d %s", tc.params, status, header)
		}
		var got []string
		for dec := json.NewDecoder(in); dec.More(); {
			var e JournalEntry
			if err := dec.Decode(&e); err != nil {
				t.Fatal(err)
			}
			got = append(got, orDash(e.ClientID))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%q answers %q, want %q", tc.params, got, tc.want)
		}
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func TestJournalAPIRefuses(t *testing.T) {
	t.Parallel()
	_, root := journalDoor(t, awsapi.Root("000000000000"))
	_, nobody := journalDoor(t, awsapi.Caller{ARN: "arn:aws:iam::000000000000:user/ann"})
	for _, tc := range []struct {
		door           *httptest.Server
		params, answer string
	}{
		{root, "limit=0", "InvalidRequestException"},
		{root, "limit=x", "InvalidRequestException"},
		{root, "since=yesterday", "InvalidRequestException"},
		{root, "since=-1h", "InvalidRequestException"},
		{root, "follow=perhaps", "InvalidRequestException"},
		{root, "client=lamp", "InvalidRequestException"},
		{nobody, "", "AccessDeniedException"},
	} {
		status, header, _ := getJournal(t.Context(), t, tc.door, tc.params)
		if name := header.Get("X-Amzn-Errortype"); !strings.HasPrefix(name, tc.answer) {
			t.Errorf("%q: %d %s, want %s", tc.params, status, name, tc.answer)
		}
	}
}

func TestJournalAPIFollows(t *testing.T) {
	t.Parallel()
	j, s := journalDoor(t, awsapi.Root("000000000000"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, in := getJournal(ctx, t, s, "follow=true&clientId=lamp") // answers before there is anything
	for _, topic := range []string{"a", "b"} {
		j.Record(journal.Entry{EventType: journal.Subscribe, ClientID: "door", TopicName: topic})
		j.Record(journal.Entry{EventType: journal.Subscribe, ClientID: "lamp", TopicName: topic})
		line, err := in.ReadString('\n')
		if err != nil || !strings.Contains(line, `"topicName":"`+topic+`"`) {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// What the client asks is what the server understands.
func TestJournalParams(t *testing.T) {
	t.Parallel()
	for _, want := range []JournalQuery{
		{},
		{ClientID: "a b/ö?&=", Since: time.Date(2025, 1, 2, 3, 4, 5, 678e6, time.UTC), Limit: 7, Failures: true},
		{Unnamed: true},
	} {
		for _, follow := range []bool{false, true} {
			params, err := url.ParseQuery(journalParams(want, follow).Encode())
			if err != nil {
				t.Fatal(err)
			}
			got, f, err := journalQuery(params, time.Now())
			if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(JournalQuery{})); d != "" || f != follow || err != nil {
				t.Errorf("%v %v: %s", f, err, d)
			}
		}
	}
}

func TestJournalSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"90m": now.Add(-90 * time.Minute), "0s": now, "2025-01-01T00:00:00Z": time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := JournalSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1h", "yesterday", "2025-01-01"} {
		if _, err := JournalSince(text, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
