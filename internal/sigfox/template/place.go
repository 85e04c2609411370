package template

import "github.com/thingwire/thingwire/internal/fault"

// Place is where a text stands: it decides what a placeholder may be and how its value is escaped.
type Place uint8

// The places. Those of a batch (channel BATCH_URL) know one variable, {batch}: the lines of all its messages, each rendered
// from a BatchLine and put together without anything between them.
const (
	URL         Place = iota + 1 // variables in path and query, percent-encoded
	HeaderValue                  // control characters, CR and LF among them, are taken out
	JSONBody                     // escaped inside quotes, raw outside; the whole must be JSON
	FormBody                     // percent-encoded
	TextBody                     // as they are
	BatchLine                    // as they are; the whole batch is encoded where it lands
	MailSubject                  // control characters are taken out
	MailText                     // as they are
	BatchURL
	BatchHeaderValue
	BatchJSONBody
	BatchFormBody
	BatchTextBody
)

// BatchVariable is the one variable of a batch's places.
const BatchVariable = "batch"

// Limits: bytes of a rendered text and numbers of things. Sigfox does not document them; the body's is that of AWS IoT's
// messages, the header's is ours.
const (
	MaxURL         = 2048
	MaxBatchURL    = 16 << 10 // a batch of a second is many messages
	MaxBody        = 128 << 10
	MaxHeaderValue = 4096
	MaxHeaders     = 20
	MaxCallbacks   = 50 // of a device type
)

var placeNames = [...]string{
	URL: "URL", HeaderValue: "header value", JSONBody: "JSON body", FormBody: "form body", TextBody: "text body",
	BatchLine: "line pattern", MailSubject: "mail subject", MailText: "mail text", BatchURL: "URL",
	BatchHeaderValue: "header value", BatchJSONBody: "JSON body", BatchFormBody: "form body", BatchTextBody: "text body",
}

// String is the place in words.
func (p Place) String() string {
	if p == 0 || int(p) >= len(placeNames) {
		return "unknown place"
	}
	return placeNames[p]
}

// ofBatch reports whether only {batch} is known here.
func (p Place) ofBatch() bool { return p >= BatchURL }

// plain is the place of the same rules that is not a batch's.
func (p Place) plain() Place {
	if p.ofBatch() {
		return p - BatchURL + URL
	}
	return p
}

// isLine reports whether the rendered text is one line.
func (p Place) isLine() bool { return p.plain() == HeaderValue || p == MailSubject }

// batch is the place of the same rules in a batch.
func (p Place) batch() Place { return p.plain() - URL + BatchURL }

// limit is the most bytes that the rendered text may have.
func (p Place) limit() int {
	switch {
	case p == BatchURL:
		return MaxBatchURL
	case p == URL:
		return MaxURL
	case p.isLine():
		return MaxHeaderValue
	}
	return MaxBody
}

// BodyPlace is the place of a body by its content type; the default is a form. Sigfox has these three.
func BodyPlace(contentType string, batch bool) (Place, error) {
	p, ok := map[string]Place{
		"": FormBody, "application/x-www-form-urlencoded": FormBody, "application/json": JSONBody, "text/plain": TextBody,
	}[contentType]
	if !ok {
		return 0, fault.New(fault.Invalid, "content type %s is none of Sigfox's", quote(contentType)).
			WithRemedy("use application/x-www-form-urlencoded, application/json or text/plain")
	}
	if batch {
		return p.batch(), nil
	}
	return p, nil
}
