package delivery

import "time"

// The channels of a callback (Sigfox reference, section 3).
const (
	URL      = "URL"
	BatchURL = "BATCH_URL"
	AWSIoT   = "AWS_IOT"
)

// Header is one header of a callback, its value rendered.
type Header struct{ Name, Value string }

// Request is one callback with its templates rendered.
type Request struct {
	Channel string // URL, BatchURL or AWSIoT

	// Of URL and BatchURL.
	Method      string // GET, POST or PUT
	URL         string // may carry the login and password of basic authentication
	ContentType string // of the body; application/x-www-form-urlencoded when empty
	Headers     []Header
	SendSNI     bool // name the server in the TLS handshake; its certificate is verified either way

	// Body of a POST or PUT, or the payload of the publish.
	Body string

	AWS *AWSTarget // of AWSIoT
}

// AWSTarget is where an AWS IoT callback publishes to (Sigfox reference, section 8.1).
type AWSTarget struct {
	RoleARN     string
	ExternalID  string
	Region      string
	Topic       string // fixed text, never a template
	SessionName string // what principal() and CloudTrail show, for example sigfox-CALLBACKID
}

// Outcome is what became of one attempt.
type Outcome struct {
	// Status is the HTTP status, or what section 6 of the Sigfox reference has for what is none; 0 without an answer.
	Status int
	// Info is the text beside the status: a reason phrase, or the cause. Remedy says what to do about a failure.
	Info, Remedy string
	// Answer is the body of an answer of URL and BatchURL; Truncated says that there was more of it than is read.
	Answer    []byte
	Truncated bool

	OK        bool      // delivered: a status of 2xx
	At        time.Time // when this was known
	Attempted Sent

	// Interrupted says that the caller's context ended or the Sender was closed: no verdict about the receiver.
	Interrupted bool
}

// Sent is the request as it can be shown: secrets are masked.
type Sent struct {
	Method, URL string
	ContentType string
	Headers     []Header
	Body        string
}
