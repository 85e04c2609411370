package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

func bodyTooLarge(n int) error {
	return fault.New(fault.Invalid, "Body too large: %d bytes", n).WithRemedy("a body has at most %d bytes", maxBody)
}

// noAnswer is a service of AWS that did not answer. What this server itself did not allow is said as it is.
func noAnswer(service, at string, err error, sent Sent) error {
	if r, ok := errors.AsType[*refusedError](err); ok {
		return r
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	w := explain(err)
	if service == "" {
		w.remedy = "the data plane at " + at + " gave no answer: look at the region, and at the endpoint that the server is configured with"
		return &refusedError{0, w, sent}
	}
	w.info = service + ": " + w.info
	w.remedy = service + " at " + at + " gave no answer: look at the region, and at the endpoint that the server is configured with"
	return &refusedError{0, w, sent}
}

// assumeRefused says why STS gave no credentials (Sigfox reference, section 6).
func assumeRefused(t *awsTarget, a *answer, sent Sent) error {
	code, message := readQueryError(a.body)
	if code == "" {
		code = a.phrase
	}
	said := ""
	if message != "" {
		said = "; STS says: " + message
	}
	what := code + ": sts:AssumeRole " + t.RoleARN
	switch {
	case throttled(a.status, code):
		return &refusedError{http.StatusTooManyRequests, words{"ThrottlingException", "STS was asked too often: it is tried again" + said}, sent}
	case strings.HasPrefix(code, "AccessDenied"):
		return &refusedError{http.StatusForbidden, words{
			"AccessDenied: sts:AssumeRole " + t.RoleARN,
			"look whether the role is there, its trust policy names Sigfox's account, and its sts:ExternalId is the callback's external id" + said,
		}, sent}
	case strings.HasPrefix(code, "ExpiredToken"), strings.HasPrefix(code, "InvalidClientTokenId"), code == "SignatureDoesNotMatch", code == "UnrecognizedClientException", strings.HasPrefix(code, "MissingAuthenticationToken"), code == "IncompleteSignature":
		return &refusedError{http.StatusForbidden, words{what, "STS does not accept the credentials of Sigfox's own account: look at how the server is configured" + said}, sent}
	case strings.HasPrefix(code, "RegionDisabled"):
		return &refusedError{http.StatusForbidden, words{what, "STS is not switched on in " + t.Region + " for this account" + said}, sent}
	case a.status/100 == 5:
		return &refusedError{a.status, words{what, "STS failed: it is tried again" + said}, sent}
	}
	return &refusedError{a.status, words{what, "STS does not take this request: look at the callback's role, external id and region" + said}, sent}
}

// publishRefused says why the data plane did not take the message.
func publishRefused(t *awsTarget, a *answer, sent Sent) error {
	name, message := readDataError(a)
	said := ""
	if message != "" && !strings.EqualFold(message, "forbidden") {
		said = "; the data plane says: " + message
	}
	refused := func(status int, info, remedy string) *refusedError {
		return &refusedError{status, words{info, remedy + said}, sent}
	}
	switch {
	case throttled(a.status, name):
		return refused(http.StatusTooManyRequests, "ThrottlingException", "the account publishes too fast: it is tried again")
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		certainly := a.status == http.StatusUnauthorized || strings.HasPrefix(name, "ExpiredToken") || strings.HasPrefix(name, "UnrecognizedClient") || strings.HasPrefix(name, "InvalidClientToken")
		return &staleError{certainly: certainly, refused: refused(http.StatusForbidden, "UnauthorizedException: iot:Publish "+t.topicARN(),
			"the role's policy has to allow iot:Publish there: the stack allows the topic and the region of its outputs alone")}
	case a.status == http.StatusRequestEntityTooLarge:
		return refused(a.status, name, "the rendered body is larger than a message may be: 128 KiB")
	case a.status/100 == 3:
		return refused(a.status, name, "what answers at "+t.endpoints.Data+" is no data plane of AWS IoT")
	case a.status/100 == 5:
		return refused(a.status, name, "the data plane failed: it is tried again")
	}
	return refused(a.status, name, "the data plane does not take this request: look at the callback's topic")
}

// readDataError gives the name and the message of an error of rest-json (API reference, section 4.1).
func readDataError(a *answer) (name, message string) {
	name, _, _ = strings.Cut(a.header.Get("X-Amzn-Errortype"), ":")
	name = oneLine(name, 80)
	if name == "" {
		name = a.phrase
	}
	if name == "" {
		name = "Status without a name"
	}
	var body struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(a.body, &body) == nil {
		message = oneLine(body.Message, 400)
	}
	return name, message
}

// throttled reports whether a service says that it was asked too often, in one of its many words.
func throttled(status int, name string) bool {
	if status == http.StatusTooManyRequests {
		return true
	}
	for _, word := range []string{"Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "BandwidthLimitExceeded"} {
		if strings.HasPrefix(name, word) {
			return true
		}
	}
	return false
}
