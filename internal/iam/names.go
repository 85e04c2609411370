package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// The prefixes of unique ids: IAM user guide, "IAM identifiers".
const (
	longTermPrefix = "AKIA"
	sessionPrefix  = "ASIA"
	userPrefix     = "AIDA"
	rolePrefix     = "AROA"
)

// checkName holds a name against the pattern [\w+=,.@-]+ of the IAM API reference.
func checkName(what, name string, longest int) error {
	if name == "" || len(name) > longest {
		return refuse(fault.Invalid, ErrValidation, "%s %s has %d characters, 1 to %d are allowed", what, fault.Plain(name), len(name), longest)
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return refuse(fault.Invalid, ErrValidation,
				"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", what)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+=,.@_-", c) >= 0
}

func checkUserName(name string) error   { return checkName("userName", name, 64) }
func checkRoleName(name string) error   { return checkName("roleName", name, 64) }
func checkPolicyName(name string) error { return checkName("policyName", name, 128) }

// checkSessionName holds the name of a role's session against STS API reference, AssumeRole.
func checkSessionName(name string) error {
	if len(name) < 2 {
		return refuse(fault.Invalid, ErrValidation, "roleSessionName %s has %d characters, 2 to 64 are allowed", fault.Plain(name), len(name))
	}
	return checkName("roleSessionName", name, 64)
}

// checkPath holds the path of a role against IAM API reference, CreateRole.
func checkPath(path string) error {
	ok := len(path) <= 512 && strings.HasPrefix(path, "/") && strings.HasSuffix(path, "/")
	for i := range len(path) {
		ok = ok && path[i] > ' ' && path[i] <= '~'
	}
	if !ok {
		return refuse(fault.Invalid, ErrValidation,
			"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return nil
}

// userKey is the key of a user's document: names are not distinguished by case.
func userKey(name string) string { return strings.ToLower(name) }

// roleKey is the key of a role's document: names are not distinguished by case.
func roleKey(name string) string { return strings.ToLower(name) }

func isLongTerm(accessKeyID string) bool { return isID(accessKeyID, longTermPrefix) }
func isSession(accessKeyID string) bool  { return isID(accessKeyID, sessionPrefix) }

// isID reports whether s looks like an id that newID made: what does not is never looked up.
func isID(s, prefix string) bool {
	if len(s) != len(prefix)+16 || !strings.HasPrefix(s, prefix) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// newID makes an id of 80 random bits.
func newID(prefix string) string {
	var b [10]byte
	rand.Read(b[:])
	return prefix + base32.StdEncoding.EncodeToString(b[:])
}

// newSecret makes a secret as AWS's look: 40 characters, slashes and pluses among them.
func newSecret() string {
	var b [30]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}
