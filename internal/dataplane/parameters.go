package dataplane

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/topic"
)

// parameters are what the queries of all operations may hold.
type parameters struct {
	limits *broker.Limits

	qos           byte
	retain        bool
	expiry        uint32 // seconds, 0 for never
	contentType   string
	responseTopic string
	topic         string
	confirmation  bool
	timeout       time.Duration
	includeSocket bool
	cleanSession  bool
	preventWill   bool
	nextToken     string
	maxResults    int // 0 when absent
}

// parameter is one that an operation takes.
type parameter struct {
	name string
	read func(q *parameters, name, value string) error
}

var (
	publishParameters = []parameter{
		{"qos", readQoS},
		{"retain", readRetain},
		{"contentType", readContentType},
		{"responseTopic", readResponseTopic},
		{"messageExpiry", readExpiry},
	}
	getParameters    = []parameter{{"includeSocketInformation", readIncludeSocket}}
	deleteParameters = []parameter{{"cleanSession", readCleanSession}, {"preventWillMessage", readPreventWill}}
	directParameters = []parameter{
		{"topic", readTopic},
		{"contentType", readContentType},
		{"responseTopic", readResponseTopic},
		{"confirmation", readConfirmation},
		{"timeout", readTimeout},
	}
	pageParameters = []parameter{{"nextToken", readToken}, {"maxResults", readMaxResults}}
)

// read reads the parameters that the operation takes out of a query; others are ignored, as AWS does. One that comes twice
// is refused: nobody knows which was meant.
func (q *parameters) read(query string, known []parameter) error {
	var seen uint
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return errQuery(err)
		}
		i := indexOf(known, name)
		if i < 0 {
			continue
		}
		if seen&(1<<i) != 0 {
			return fault.New(fault.Invalid, "the query has %s twice", name).WithRemedy("give it once")
		}
		seen |= 1 << i
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return errQuery(err)
		}
		if err := known[i].read(q, name, value); err != nil {
			return err
		}
	}
	return nil
}

func indexOf(known []parameter, name string) int {
	for i := range known {
		if known[i].name == name {
			return i
		}
	}
	return -1
}

func errQuery(err error) error {
	return fault.Wrap(fault.Invalid, err, "the query cannot be read").
		WithRemedy("escape each byte as %% and two hexadecimal digits")
}

func errValue(name, value, want string) error {
	return fault.New(fault.Invalid, "%s=%q is not %s", name, fault.Shortened(value), want).WithRemedy("give %s", want)
}

func readQoS(q *parameters, name, value string) error {
	switch value {
	case "0":
		q.qos = 0
	case "1":
		q.qos = 1
	default:
		return errValue(name, value, "0 or 1, the QoS that AWS IoT Core has")
	}
	return nil
}

// readBool takes AWS's true and false in any case: its pages write TRUE for some.
func readBool(name, value string) (bool, error) {
	switch {
	case strings.EqualFold(value, "true"):
		return true, nil
	case strings.EqualFold(value, "false"):
		return false, nil
	}
	return false, errValue(name, value, "true or false")
}

func readRetain(q *parameters, name, value string) (err error) {
	q.retain, err = readBool(name, value)
	return err
}

// readContentType takes what an MQTT string may hold. An empty one is as none.
func readContentType(q *parameters, name, value string) error {
	if len(value) > q.limits.ContentType {
		return fault.New(fault.Invalid, "%s has %d bytes, %d are allowed", name, len(value), q.limits.ContentType).WithRemedy("shorten it")
	}
	if err := checkText(name, value); err != nil {
		return err
	}
	q.contentType = value
	return nil
}

// checkText refuses what no string of MQTT may hold (MQTT 5, 1.5.4).
func checkText(what, s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return fault.New(fault.Invalid, "%s %q is no text of MQTT", what, fault.Shortened(s)).WithRemedy("use UTF-8 without U+0000")
	}
	return nil
}

func readResponseTopic(q *parameters, name, value string) error {
	q.responseTopic = value
	return checkTopic(name, value, q.limits.Topic)
}

func checkTopic(what, name string, l topic.Limits) error {
	if err, ok := errors.AsType[*fault.Error](topic.CheckName(name, l)); ok {
		return fault.New(fault.Invalid, "%s: %s", what, err.Cause).
			WithRemedy("a topic has up to %d bytes and %d slashes, no + and no #", l.Bytes, l.Slashes)
	}
	return nil
}

func readExpiry(q *parameters, name, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return errValue(name, value, "a number of seconds")
	}
	q.expiry = expiryOf(n)
	return nil
}

func readIncludeSocket(q *parameters, name, value string) (err error) {
	q.includeSocket, err = readBool(name, value)
	return err
}

func readCleanSession(q *parameters, name, value string) (err error) {
	q.cleanSession, err = readBool(name, value)
	return err
}

func readPreventWill(q *parameters, name, value string) (err error) {
	q.preventWill, err = readBool(name, value)
	return err
}

func readConfirmation(q *parameters, name, value string) (err error) {
	q.confirmation, err = readBool(name, value)
	return err
}

func readTopic(q *parameters, name, value string) error {
	q.topic = value
	return checkTopic(name, value, q.limits.Topic)
}

func readTimeout(q *parameters, name, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 15 {
		return errValue(name, value, "a number of seconds from 1 to 15")
	}
	q.timeout = time.Duration(n) * time.Second
	return nil
}

func readToken(q *parameters, _, value string) error {
	q.nextToken = value
	return nil
}

// maxPage is the largest page of every list of the data plane.
const maxPage = 200

func readMaxResults(q *parameters, name, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxPage {
		return errValue(name, value, "a number from 1 to 200")
	}
	q.maxResults = n
	return nil
}
