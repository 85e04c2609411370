package delivery

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// call delivers over HTTP.
func (s *Sender) call(ctx context.Context, r *Request) Outcome {
	sent := shown(r)
	req, err := s.outgoing(ctx, r)
	if err != nil {
		w := explain(err)
		return Outcome{Info: w.info, Remedy: w.remedy, Attempted: sent}
	}
	over := s.named
	if !r.SendSNI {
		over = s.plain
	}
	a, err := s.exchange(over, req)
	if err != nil {
		w := explain(err)
		return Outcome{Info: w.info, Remedy: w.remedy, Attempted: sent}
	}
	return a.outcome(sent)
}

// answer is what came back, whole or as much of it as is read.
type answer struct {
	status    int
	phrase    string // of the status line
	header    http.Header
	body      []byte
	truncated bool
}

// exchange sends one request and reads the answer, all within the timeout.
func (s *Sender) exchange(over http.RoundTripper, req *http.Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), s.cfg.Timeout)
	defer cancel()
	resp, err := over.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols { // its body is the connection, and has no end
		return &answer{status: resp.StatusCode, header: resp.Header}, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.cfg.MaxAnswer+1))
	if err != nil {
		return nil, err
	}
	a := &answer{status: resp.StatusCode, phrase: phrase(resp), header: resp.Header, body: body}
	if int64(len(body)) > s.cfg.MaxAnswer {
		a.body, a.truncated = body[:s.cfg.MaxAnswer], true
	}
	return a, nil
}

// phrase is the reason phrase of an answer, in printable ASCII and bounded: the receiver chose it.
func phrase(resp *http.Response) string {
	_, text, _ := strings.Cut(resp.Status, " ")
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 80 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return http.StatusText(resp.StatusCode)
	}
	return text
}

// outcome is what an answer means for a callback: any 2xx is a success, and nothing else is.
func (a *answer) outcome(sent Sent) Outcome {
	out := Outcome{Status: a.status, Info: a.phrase, Answer: a.body, Truncated: a.truncated, Attempted: sent}
	switch {
	case a.status/100 == 2:
		out.OK = true
		if a.status == http.StatusOK {
			out.Info = "success"
		}
		if a.truncated {
			out.Remedy = "the answer is longer than what is read of it; answer with less"
		}
	case a.status/100 == 3:
		out.Remedy = "redirects are not followed: use the address where it leads as the callback's URL"
		if to, err := url.Parse(a.header.Get("Location")); err == nil && to.Host != "" {
			out.Remedy = "redirects are not followed: the receiver wants the callback at " + to.Scheme + "://" + to.Host
		}
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		out.Remedy = "the receiver wants other credentials: set them in the URL or in the header Authorization"
	case a.status == http.StatusNotFound:
		out.Remedy = "the receiver has nothing at this path: compare it with the callback's URL"
	case a.status/100 == 4:
		out.Remedy = "the receiver does not take this request: look at what was sent"
	default:
		out.Remedy = "the receiver failed: look at its log"
	}
	if out.Info == "" {
		out.Info = "Status without a name"
	}
	return out
}

// outgoing makes the HTTP request of a callback. Errors are fault.Invalid and name what is wrong with it.
func (s *Sender) outgoing(ctx context.Context, r *Request) (*http.Request, error) {
	target, err := parseURL(r)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	switch r.Method {
	case http.MethodGet: // has none
	case http.MethodPost, http.MethodPut:
		body = strings.NewReader(r.Body)
	default:
		return nil, fault.New(fault.Invalid, "Method %q cannot be sent", r.Method).WithRemedy("use GET, POST or PUT")
	}
	if len(r.Body) > maxBody {
		return nil, bodyTooLarge(len(r.Body))
	}
	user := target.User
	target.User = nil
	req, err := http.NewRequestWithContext(ctx, r.Method, target.String(), body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "Request cannot be made")
	}
	if s.cfg.Origin != "" {
		req.Header.Set(ViaHeader, s.cfg.Origin)
	}
	return req, setHeaders(req, r, user)
}

func setHeaders(req *http.Request, r *Request, user *url.Userinfo) error {
	if len(r.Headers) > maxHeaders {
		return fault.New(fault.Invalid, "Too many headers: %d", len(r.Headers)).WithRemedy("a callback has at most %d", maxHeaders)
	}
	h := req.Header
	for _, one := range r.Headers {
		if !isToken(one.Name) || !isFieldValue(one.Value) {
			return fault.New(fault.Invalid, "Header %.40q cannot be sent", one.Name).
				WithRemedy("a header's name has letters, digits and hyphens; its value no line breaks")
		}
		if _, twice := h[http.CanonicalHeaderKey(one.Name)]; twice {
			return fault.New(fault.Invalid, "Header %s twice", one.Name).WithRemedy("leave one of them out")
		}
		h.Set(one.Name, one.Value)
	}
	if user != nil {
		if h.Get("Authorization") != "" {
			return fault.New(fault.Invalid, "Two authorizations").
				WithRemedy("leave out the login in the URL or the header Authorization")
		}
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	if req.Body != nil {
		h.Set("Content-Type", contentType(r))
	}
	h.Set("User-Agent", userAgent)
	// A connection that was kept may be gone when it is used again. Callbacks may repeat, so the transport may try the next
	// one; without a value this is not sent.
	h["Idempotency-Key"] = nil
	return nil
}

func contentType(r *Request) string {
	if r.ContentType == "" {
		return "application/x-www-form-urlencoded"
	}
	return r.ContentType
}

func parseURL(r *Request) (*url.URL, error) {
	most := maxURL
	if r.Channel == BatchURL {
		most = maxBatchURL
	}
	if len(r.URL) > most {
		return nil, fault.New(fault.Invalid, "URL too long: %d bytes", len(r.URL)).WithRemedy("at most %d bytes are sent; put variables into the body", most)
	}
	target, err := url.Parse(r.URL)
	if err != nil { // its text has the URL, and the URL may have a password
		return nil, fault.New(fault.Invalid, "URL cannot be read").WithRemedy("write https://host/path; percent-encode what is no letter, digit, or -._~")
	}
	if (target.Scheme != "http" && target.Scheme != "https") || target.Hostname() == "" {
		return nil, fault.New(fault.Invalid, "URL is neither http nor https").WithRemedy("write https://host/path")
	}
	return target, nil
}

// isToken reports whether s may be a header's name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// isFieldValue reports whether s may be a header's value: no control characters but the tab.
func isFieldValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
