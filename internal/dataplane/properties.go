package dataplane

import (
	"encoding/base64"
	"net/http"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
)

// The headers of MQTT 5 properties, as net/http writes their names.
const (
	headerUser        = "X-Amz-Mqtt5-User-Properties"
	headerFormat      = "X-Amz-Mqtt5-Payload-Format-Indicator"
	headerCorrelation = "X-Amz-Mqtt5-Correlation-Data"
)

// properties are the MQTT 5 properties of a message out of headers and parameters; nil when there are none.
func properties(h http.Header, q *parameters) (*broker.Properties, error) {
	user, format, correlation := h[headerUser], h[headerFormat], h[headerCorrelation]
	if len(user)+len(format)+len(correlation) == 0 && q.contentType == "" && q.responseTopic == "" {
		return nil, nil //nolint:nilnil // none is a value here
	}
	to := &broker.Properties{ContentType: q.contentType, ResponseTopic: q.responseTopic}
	if err := readFormat(to, format); err != nil {
		return nil, err
	}
	if err := readCorrelation(to, correlation, q.limits.CorrelationData); err != nil {
		return nil, err
	}
	text, err := single(headerUser, user)
	if err != nil || text == "" {
		return to, err
	}
	to.User, err = readUserProperties(text, q.limits.UserProperties)
	return to, err
}

// single is the value of a header that may come once; an empty one is as none.
func single(name string, values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", fault.New(fault.Invalid, "the header %s comes %d times", name, len(values)).WithRemedy("give it once")
}

// readFormat takes the indicator as it is. Whether the payload keeps its promise is for the receiver to look at (MQTT 5,
// 3.3.2.3.2), and AWS's pages name no check.
func readFormat(to *broker.Properties, values []string) error {
	if len(values) == 0 {
		return nil
	}
	text, err := single(headerFormat, values)
	if err != nil {
		return err
	}
	to.HasPayloadFormat = true
	switch text {
	case "UNSPECIFIED_BYTES":
		to.PayloadFormat = 0
	case "UTF8_DATA":
		to.PayloadFormat = 1
	default:
		return errValue(headerFormat, text, "UNSPECIFIED_BYTES or UTF8_DATA")
	}
	return nil
}

func readCorrelation(to *broker.Properties, values []string, most int) error {
	text, err := single(headerCorrelation, values)
	if err != nil || text == "" {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the header %s is not base64", headerCorrelation).
			WithRemedy("encode the data to standard base64 with padding; SDKs send this member as it is given")
	}
	if len(data) > most {
		return fault.New(fault.Invalid, "correlation data of %d bytes, %d are allowed", len(data), most).WithRemedy("shorten it")
	}
	to.CorrelationData = data
	return nil
}
