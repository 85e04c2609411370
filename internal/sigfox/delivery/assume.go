package delivery

import (
	"cmp"
	"context"
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/sigv4"
)

// refusedError is a failure on the way into the customer's account, in the words of the message list.
type refusedError struct {
	status int
	words
	sent Sent
}

// Error is the text beside the status.
func (r *refusedError) Error() string { return r.info }

// assume takes credentials of the target's role for an hour, which is what STS gives when nothing else is said.
func (s *Sender) assume(ctx context.Context, t *awsTarget) (*session, error) {
	form := t.assumeForm()
	body := form.Encode()
	if form.Has("ExternalId") {
		form.Set("ExternalId", masked)
	}
	sent := Sent{
		Method: http.MethodPost, URL: t.endpoints.STS + "/", ContentType: "application/x-www-form-urlencoded; charset=utf-8",
		Body: strings.ReplaceAll(form.Encode(), "%2A%2A%2A", masked),
	}
	a, err := s.assumeCall(ctx, t, body)
	if err != nil {
		return nil, noAnswer("STS", t.endpoints.STS, err, sent)
	}
	if a.status/100 != 2 {
		return nil, assumeRefused(t, a, sent)
	}
	now := s.cfg.Now()
	got, err := readSession(a.body, now)
	if err != nil {
		return nil, &refusedError{a.status, words{"STS: answer cannot be read", clip(err.Error(), 200)}, sent}
	}
	return got, nil
}

func (s *Sender) assumeCall(ctx context.Context, t *awsTarget, body string) (*answer, error) {
	key, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoints.STS+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header["Idempotency-Key"] = nil // one more session hurts nobody: see setHeaders
	s.sign(req, body, key, t.Region, "sts")
	return s.exchange(s.aws, req)
}

func (s *Sender) sign(req *http.Request, body string, key Key, region, service string) {
	req.Header.Set("User-Agent", userAgent)
	sigv4.Signer{AccessKeyID: key.ID, Secret: key.Secret, Token: key.Token, Region: region, Service: service}.
		Sign(req, []byte(body), s.cfg.Now())
}

func (s *Sender) key(ctx context.Context) (Key, error) {
	if s.cfg.Key == nil {
		return Key{}, &refusedError{0, words{"No credentials of Sigfox's account", "configure them for AWS IoT callbacks"}, Sent{}}
	}
	return s.cfg.Key(ctx)
}

// assumed is the part of an AssumeRole answer that is used.
type assumed struct {
	Result struct {
		Credentials struct {
			AccessKeyID     string    `xml:"AccessKeyId"`
			SecretAccessKey string    `xml:"SecretAccessKey"`
			SessionToken    string    `xml:"SessionToken"`
			Expiration      time.Time `xml:"Expiration"`
		} `xml:"Credentials"`
	} `xml:"AssumeRoleResult"`
}

// readSession reads the answer of STS. Credentials that are over already are as good as none.
func readSession(body []byte, now time.Time) (*session, error) {
	var a assumed
	if err := xml.Unmarshal(body, &a); err != nil {
		return nil, err
	}
	c := a.Result.Credentials
	switch {
	case !plain(c.AccessKeyID) || !plain(c.SecretAccessKey) || !plain(c.SessionToken):
		return nil, errIncomplete
	case !now.Before(c.Expiration):
		return nil, errOver
	}
	return &session{
		key:     Key{c.AccessKeyID, c.SecretAccessKey, c.SessionToken},
		made:    now,
		renew:   c.Expiration.Add(-min(renewBefore, c.Expiration.Sub(now)/2)),
		expires: c.Expiration,
	}, nil
}

// plain reports whether a part of credentials can stand in a header.
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

type answerError string

// Error says what is wrong with an answer of STS.
func (e answerError) Error() string { return string(e) }

const (
	errIncomplete answerError = "it has no credentials"
	errOver       answerError = "its credentials are over already: compare the clocks of both machines"
)

// queryError is an error of the Query protocol (API reference, section 3.1), also in the older form that has a list.
type queryError struct {
	Code    string `xml:"Error>Code"`
	Message string `xml:"Error>Message"`
	Listed  struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	} `xml:"Errors>Error"`
}

// readQueryError gives the code and the message of an error, empty where the answer is none.
func readQueryError(body []byte) (code, message string) {
	var e queryError
	if err := xml.Unmarshal(body, &e); err != nil {
		return "", ""
	}
	return oneLine(cmp.Or(e.Code, e.Listed.Code), 80), oneLine(cmp.Or(e.Message, e.Listed.Message), 400)
}

// oneLine bounds a text of others and leaves out what cannot be printed.
func oneLine(s string, most int) string {
	return clip(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, strings.TrimSpace(s)), most)
}
