package sigv4

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// maxExpires is what AWS takes as X-Amz-Expires: a week.
const maxExpires = 604800

// Signed reports whether r carries a signature of this kind, in its header or in its query, be it good or bad.
func Signed(r *http.Request) bool { return headerSigned(r) || presigned(r) }

func headerSigned(r *http.Request) bool {
	for _, a := range r.Header["Authorization"] {
		if strings.HasPrefix(a, "AWS4-") {
			return true
		}
	}
	return false
}

func presigned(r *http.Request) bool {
	for p := range pairs(rawQuery(r)) {
		switch p.plainName() {
		case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature":
			return true
		}
	}
	return false
}

// Parse reads the signature of a request, and checks that it covers what it must: the host, and all that AWS's services
// read from headers. It does not verify anything else.
func Parse(r *http.Request) (Signature, error) {
	var s Signature
	var err error
	inHeader, inQuery := headerSigned(r), presigned(r)
	switch {
	case inHeader && inQuery:
		err = refuse(ErrIncomplete, "the request is signed twice, in the Authorization header and in the query")
	case inQuery:
		err = s.parseQuery(r)
	case inHeader:
		err = s.parseHeader(r)
	default:
		err = refuse(ErrMissing, "Missing Authentication Token").WithRemedy("sign the request with an access key")
	}
	if err == nil {
		err = s.checkCover(r)
	}
	if err != nil {
		return Signature{}, err
	}
	return s, nil
}

func (s *Signature) parseHeader(r *http.Request) error {
	all := r.Header["Authorization"]
	if len(all) != 1 {
		return refuse(ErrIncomplete, "the request has %d Authorization headers", len(all))
	}
	kind, rest, _ := strings.Cut(all[0], " ")
	if kind != algorithm {
		return refuse(ErrIncomplete, "the algorithm must be %s, not %s", algorithm, fault.Quoted(kind))
	}
	fields, err := authorizationFields(rest)
	if err != nil {
		return err
	}
	date, err := headerDate(r)
	if err != nil {
		return err
	}
	if s.Token, err = oneHeader(r, tokenHeader); err != nil {
		return err
	}
	if s.hash, err = oneHeader(r, hashHeader); err != nil {
		return err
	}
	return s.fill(fields["Credential"], fields["SignedHeaders"], fields["Signature"], date)
}

// authorizationFields reads Credential=…, SignedHeaders=…, Signature=…, in any order, with or without spaces.
func authorizationFields(text string) (map[string]string, error) {
	fields := make(map[string]string, 3)
	for field := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.Trim(field, " "), "=")
		if _, twice := fields[name]; twice {
			return nil, refuse(ErrIncomplete, "Authorization header has '%s' twice.", name)
		}
		switch name {
		case "Credential", "SignedHeaders", "Signature":
			fields[name] = value
		default:
			return nil, refuse(ErrIncomplete, "Authorization header has the parameter %s, which nobody knows", fault.Quoted(name))
		}
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if missing != nil {
		return nil, refuse(ErrIncomplete, "%s", strings.Join(missing, " "))
	}
	return fields, nil
}

// headerDate is the time of a request: X-Amz-Date, else Date, in the form that the string to sign has.
func headerDate(r *http.Request) (string, error) {
	date, err := oneHeader(r, dateHeader)
	if err != nil || date != "" {
		return date, err
	}
	date, err = oneHeader(r, "Date")
	if err != nil {
		return "", err
	}
	if date == "" {
		return "", refuse(ErrIncomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if t, err := http.ParseTime(date); err == nil {
		date = t.UTC().Format(dateLayout)
	}
	return date, nil
}

func oneHeader(r *http.Request, name string) (string, error) {
	all := r.Header[name]
	if len(all) > 1 {
		return "", refuse(ErrIncomplete, "the request has the header %s %d times", name, len(all))
	}
	if len(all) == 0 {
		return "", nil
	}
	return all[0], nil
}

func (s *Signature) parseQuery(r *http.Request) error {
	fields, err := queryFields(rawQuery(r))
	if err != nil {
		return err
	}
	if a := fields["X-Amz-Algorithm"]; a != algorithm {
		return refuse(ErrIncomplete, "X-Amz-Algorithm must be %s, not %s", algorithm, fault.Quoted(a))
	}
	s.Presigned = true
	s.Token, s.hash = fields[tokenHeader], fields[hashHeader]
	if s.hash == "" {
		if s.hash, err = oneHeader(r, hashHeader); err != nil {
			return err
		}
	}
	if s.Expires, err = readExpires(fields["X-Amz-Expires"]); err != nil {
		return err
	}
	return s.fill(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"], fields["X-Amz-Signature"], fields[dateHeader])
}

// parameters are what a presigned request says of itself; a query may have others that begin alike.
var parameters = map[string]bool{
	"X-Amz-Algorithm": true, "X-Amz-Credential": true, dateHeader: true, "X-Amz-Expires": true,
	"X-Amz-SignedHeaders": true, "X-Amz-Signature": true, tokenHeader: true, hashHeader: true,
}

// queryFields are the parameters of a presigned request. Each counts once: of two, nobody could say which one is meant.
func queryFields(raw string) (map[string]string, error) {
	fields := make(map[string]string, 8)
	for p := range pairs(raw) {
		name := p.plainName()
		if !parameters[name] {
			continue
		}
		if _, twice := fields[name]; twice {
			return nil, refuse(ErrIncomplete, "the query has %s twice", fault.Quoted(name))
		}
		value, err := url.QueryUnescape(p.value)
		if err != nil {
			return nil, refuse(ErrIncomplete, "the query's %s is not percent-encoded", fault.Quoted(name))
		}
		fields[name] = value
	}
	for _, name := range []string{"X-Amz-Credential", dateHeader, "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if fields[name] == "" {
			return nil, refuse(ErrIncomplete, "AWS query-string parameters must include '%s'.", name)
		}
	}
	return fields, nil
}

func readExpires(text string) (time.Duration, error) {
	if text == "" {
		return MaxExpires, nil // absent in the device SDKs, which do not expect a URL to live long
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 || n > maxExpires {
		return 0, refuse(ErrIncomplete, "X-Amz-Expires must be a number of seconds from 1 to %d, not %s", maxExpires, fault.Quoted(text))
	}
	return min(time.Duration(n)*time.Second, MaxExpires), nil
}

func (s *Signature) fill(credential, signedHeaders, mac, date string) error {
	if err := s.readCredential(credential); err != nil {
		return err
	}
	if err := s.readSignedHeaders(signedHeaders); err != nil {
		return err
	}
	if err := s.readMAC(mac); err != nil {
		return err
	}
	if err := s.readDate(date); err != nil {
		return err
	}
	if s.Date != s.date[:len("yyyymmdd")] {
		return refuse(ErrIncomplete, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: %s, %s", fault.Quoted(s.Date), s.date)
	}
	return nil
}

// free are the headers that need not be signed although they begin like those of AWS: the token stands for its secret,
// the hash is in the canonical request anyway, and the others are added by what stands between.
var free = map[string]bool{
	tokenHeader: true, hashHeader: true, "X-Amzn-Trace-Id": true, "X-Amz-Cf-Id": true, "X-Amz-Cf-Pop": true,
}

// checkCover checks that what is signed is there, and that what says something to a service (the properties of a
// message, the principal of an attachment) is signed.
func (s *Signature) checkCover(r *http.Request) error {
	for _, name := range s.SignedHeaders {
		if _, ok := headerValues(r, name); !ok {
			return refuse(ErrDoesNotMatch, "the client signed the header %s, which did not arrive", fault.Quoted(name)).
				WithRemedy("look for a proxy that removes it")
		}
	}
	for key := range r.Header {
		if !strings.HasPrefix(key, "X-Amz-") && !strings.HasPrefix(key, "X-Amzn-") || free[key] {
			continue
		}
		if name := strings.ToLower(key); !s.signs(name) {
			return refuse(ErrIncomplete, "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

// headerValues gives the values of a header by its name in lower case. net/http takes some out of the map.
func headerValues(r *http.Request, name string) ([]string, bool) {
	if name == "host" {
		return nil, true // the canonical form decides about it
	}
	if values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]; len(values) > 0 {
		return values, true
	}
	switch {
	case name == "content-length" && r.ContentLength >= 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}, true
	case name == "transfer-encoding" && len(r.TransferEncoding) > 0:
		return r.TransferEncoding, true
	}
	return nil, false
}

// checkTime holds the signature against the clock.
func (s *Signature) checkTime(now time.Time) error {
	at, clock := s.date, now.UTC().Format(dateLayout)
	last := s.Time.Add(Skew)
	if s.Presigned {
		last = s.Time.Add(s.Expires)
	}
	if last.Before(now) {
		return refuse(ErrExpired, "Signature expired: %s is now earlier than %s (%s - %s.)",
			at, now.UTC().Add(s.Time.Sub(last)).Format(dateLayout), clock, inWords(last.Sub(s.Time))).WithRemedy("sign again; set the client's clock")
	}
	if first := s.Time.Add(-Skew); now.Before(first) {
		return refuse(ErrNotYetCurrent, "Signature not yet current: %s is still later than %s (%s + %s.)",
			at, now.UTC().Add(Skew).Format(dateLayout), clock, inWords(Skew)).WithRemedy("set the client's clock")
	}
	return nil
}

func inWords(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d/time.Second)) + " s"
}

func (s *Signature) checkService(services []string) error {
	if slices.Contains(services, s.Service) {
		return nil
	}
	if len(services) == 0 {
		return fault.New(fault.Internal, "sigv4: no service was named")
	}
	return refuse(ErrScope, "Credential should be scoped to correct service: '%s'. It is scoped to %s", strings.Join(services, "' or '"), fault.Quoted(s.Service)).
		WithRemedy("a call of another service goes to AWS: not to this endpoint URL")
}
