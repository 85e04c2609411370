package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// journalPath is where the private API gives the journal.
const journalPath = privatePrefix + "journal"

// journalAction is what a caller must be allowed on "*" to read the journal: it is about all clients.
const journalAction = "thingwire:GetJournal"

// journalAPI answers GET /_thingwire/v1/journal: one entry per line, oldest first; with follow=true it goes on with what
// comes, until the client leaves.
type journalAPI struct {
	journal *journal.Journal
	log     *slog.Logger
}

func (a *journalAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path != journalPath {
		control.Refuse(a.log, w, r, fault.New(fault.Unsupported, "Thingwire has no %s %s", r.Method, r.URL.Path).
			WithRemedy("use GET %s", journalPath))
		return
	}
	if err := mayReadJournal(r.Context()); err != nil {
		control.Refuse(a.log, w, r, err)
		return
	}
	q, follow, err := journalQuery(r.URL.Query(), time.Now())
	if err != nil {
		control.Refuse(a.log, w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	if !follow {
		for _, e := range a.journal.Query(q) {
			if lines.Encode(e) != nil {
				return // the client went away
			}
		}
		return
	}
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	_ = flush() // a client that is gone ends the request's context
	_ = a.journal.Follow(r.Context(), q, func(e journal.Entry) error {
		if err := lines.Encode(e); err != nil {
			return err
		}
		return flush()
	}) // the stream ends either way, and its status is out
}

func mayReadJournal(ctx context.Context) error {
	by, _ := awsapi.CallerFrom(ctx) // control has refused a request without one
	return by.Authorise(journalAction, "*")
}

// journalQuery reads the parameters; an unknown one is refused, since it would have narrowed the answer.
func journalQuery(params url.Values, now time.Time) (q journal.Query, follow bool, err error) {
	for name, values := range params {
		value := values[len(values)-1]
		switch name {
		case "clientId":
			q.ClientID = value
		case "since":
			q.Since, err = JournalSince(value, now)
		case "limit":
			q.Limit, err = strconv.Atoi(value)
			if err == nil && q.Limit < 1 {
				err = strconv.ErrRange
			}
		case "failures":
			q.Failures, err = strconv.ParseBool(value)
		case "unnamed":
			q.Unnamed, err = strconv.ParseBool(value)
		case "follow":
			follow, err = strconv.ParseBool(value)
		default:
			return q, false, fault.New(fault.Invalid, "the journal has no parameter %q", name).
				WithRemedy("use clientId, since, limit, failures, unnamed and follow")
		}
		if err != nil {
			return q, false, fault.New(fault.Invalid, "%s is %q", name, value).
				WithRemedy("since is a duration like 90m or a time like 2006-01-02T15:04:05Z, limit a number from 1, the others true or false")
		}
	}
	return q, follow, nil
}

// JournalSince is the time that a text means: so long ago ("90m", "24h"), or a time of RFC 3339.
func JournalSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fault.New(fault.Invalid, "%q is no time", text).
			WithRemedy("say a duration like 90m or 24h, or a time like 2006-01-02T15:04:05Z")
	}
	return t, nil
}
