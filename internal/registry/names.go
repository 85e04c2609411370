package registry

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// The patterns of names: AWS IoT API reference, the types of the same names.
var (
	thingName        = namePattern{"thing name", regexp.MustCompile(`^[a-zA-Z0-9:_-]+$`), 1, 128}
	groupName        = namePattern{"thing group name", regexp.MustCompile(`^[a-zA-Z0-9:_-]+$`), 1, 128}
	billingGroupName = namePattern{"billing group name", regexp.MustCompile(`^[a-zA-Z0-9:_-]+$`), 1, 128}
	typeName         = namePattern{"thing type name", regexp.MustCompile(`^[a-zA-Z0-9:_-]+$`), 1, 128}
	description      = namePattern{"description", regexp.MustCompile(`^[\pL\pM\pN\pP\pS ]*$`), 0, maxDescription}
	policyName       = namePattern{"policy name", regexp.MustCompile(`^[\w+=,.@-]+$`), 1, 128}
	attributeName    = namePattern{"attribute name", regexp.MustCompile(`^[a-zA-Z0-9_.,@/:#-]+$`), 1, 128}
	attributeValue   = namePattern{"attribute value", regexp.MustCompile(`^[a-zA-Z0-9_.,@/:#=\[\]-]*$`), 0, 800}
	certificateID    = namePattern{"certificate id", regexp.MustCompile(`^(0x)?[a-fA-F0-9]+$`), 64, 64}
	tagKey           = namePattern{"tag key", regexp.MustCompile(`^[\pL\pZ\pN_.:/=+\-@]+$`), 1, 128}
	versionID        = namePattern{"policy version id", regexp.MustCompile(`^[0-9]+$`), 1, 19}
)

type namePattern struct {
	what     string
	pattern  *regexp.Regexp
	min, max int
}

// checkIf is check for what may be left out: "" is absent.
func (p *namePattern) checkIf(s string) error {
	if s == "" {
		return nil
	}
	return p.check(s)
}

// check refuses s with words that hold the rule. What it refuses may be anything, so it is quoted and cut.
func (p *namePattern) check(s string) error {
	if n := utf8.RuneCountInString(s); n < p.min || n > p.max {
		allowed := fmt.Sprintf("%d to %d", p.min, p.max)
		if p.min == p.max {
			allowed = strconv.Itoa(p.min)
		}
		return fault.New(fault.Invalid, "%s %s has %d characters, %s are allowed", p.what, fault.Quoted(s), n, allowed)
	}
	if !p.pattern.MatchString(s) {
		return fault.New(fault.Invalid, "%s %s does not match %s", p.what, fault.Quoted(s), p.pattern)
	}
	return nil
}
