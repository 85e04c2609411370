package delivery

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// publish delivers into the customer's account: credentials of their role, then one signed publish with QoS 0.
// Credentials that are refused because they are over, or because the role was made anew, are dropped, and it is tried
// once more.
func (s *Sender) publish(ctx context.Context, r *Request) Outcome {
	t, err := s.target(r.AWS)
	if err == nil && len(r.Body) > maxBody {
		err = bodyTooLarge(len(r.Body))
	}
	if err != nil {
		w := explain(err)
		return Outcome{Info: w.info, Remedy: w.remedy, Attempted: Sent{Body: r.Body}}
	}
	for again := true; ; again = false {
		c, err := s.session(ctx, t)
		if err == nil {
			err = s.publishAs(ctx, t, c, r.Body)
		}
		if err == nil {
			return Outcome{Status: http.StatusOK, Info: "success", OK: true, Attempted: t.sent(r.Body)}
		}
		if stale, ok := errors.AsType[*staleError](err); ok {
			if again && s.forget(t, c, stale.certainly) {
				continue
			}
			err = stale.refused
		}
		return outcomeOf(err, t.sent(r.Body))
	}
}

// outcomeOf only reads the error: all who waited for one role have the same.
func outcomeOf(err error, sent Sent) Outcome {
	if r, ok := errors.AsType[*refusedError](err); ok {
		if r.sent.Method != "" {
			sent = r.sent
		}
		return Outcome{Status: r.status, Info: r.info, Remedy: r.remedy, Attempted: sent}
	}
	w := explain(err)
	return Outcome{Info: w.info, Remedy: w.remedy, Attempted: sent}
}

func (t *awsTarget) sent(body string) Sent {
	return Sent{Method: http.MethodPost, URL: t.publishURL(), Body: body}
}

// staleError is a refusal that new credentials may mend.
type staleError struct {
	refused   *refusedError
	certainly bool // the answer says that the credentials are over; otherwise it is a plain no
}

// Error is that of the refusal.
func (e *staleError) Error() string { return e.refused.Error() }

func (s *Sender) publishAs(ctx context.Context, t *awsTarget, c *session, body string) error {
	sent := t.sent(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sent.URL, strings.NewReader(body))
	if err != nil {
		return &refusedError{0, words{"Endpoint cannot be used", "write the data plane's endpoint as https://host:port"}, sent}
	}
	req.Header["Idempotency-Key"] = nil // see setHeaders
	s.sign(req, body, c.key, t.Region, "iotdata")
	a, err := s.exchange(s.aws, req)
	if err != nil {
		return noAnswer("", t.endpoints.Data, err, sent)
	}
	if a.status/100 == 2 {
		return nil
	}
	return publishRefused(t, a, sent)
}
