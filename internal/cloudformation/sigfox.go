package cloudformation

import (
	_ "embed" // for the template
	"strings"
)

//go:embed sigfox.yaml
var sigfoxTemplate string

// SigfoxTemplate is the template with which a customer lets the Sigfox cloud publish to one topic: a role that the
// account of the cloud may assume with the customer's external id. Parameters AWSAccountId, ExternalId, Region and
// TopicName; outputs ARNRole, Topic and Region.
func SigfoxTemplate(sigfoxAccount string) string {
	return strings.ReplaceAll(sigfoxTemplate, "SIGFOX_ACCOUNT", sigfoxAccount)
}
