package registry

import (
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// partitionOf is the ARN partition that a region belongs to.
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// ARN is the name of a resource of this account and region: "thing/lamp" gives "arn:aws:iot:us-east-1:000000000000:thing/lamp".
func (r *Registry) ARN(resource string) string { return r.arnPrefix + resource }

// certificateOf is the id of the certificate that principal names. Principals of other kinds cannot be attached here.
func (r *Registry) certificateOf(principal string) (string, error) {
	resource, ok := strings.CutPrefix(principal, r.arnPrefix)
	if !ok {
		return "", r.foreignPrincipal(principal)
	}
	id, ok := strings.CutPrefix(resource, "cert/")
	if !ok {
		return "", fault.New(fault.Invalid, "%s is not a certificate", fault.Quoted(principal)).
			WithRemedy("principals are certificates, targets of policies certificates and thing groups: %s, %s", r.ARN("cert/<64 hex digits>"), r.ARN("thinggroup/<name>"))
	}
	if err := certificateID.check(id); err != nil {
		return "", err
	}
	return strings.ToLower(id), nil
}

// foreignPrincipal says what is wrong with a principal that is not an ARN of this account and region.
func (r *Registry) foreignPrincipal(principal string) error {
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return fault.New(fault.Invalid, "%s is not the ARN of a certificate", fault.Quoted(principal)).
			WithRemedy("it looks like %s", r.ARN("cert/<64 hex digits>"))
	}
	if parts[1] != r.cfg.Partition || parts[2] != "iot" {
		return fault.New(fault.Invalid, "%s is not an ARN of %s:iot", fault.Quoted(principal), r.cfg.Partition)
	}
	return fault.New(fault.Invalid, "%s is in region %s and account %s, this server is %s and %s",
		fault.Quoted(principal), fault.Quoted(parts[3]), fault.Quoted(parts[4]), r.cfg.Region, r.cfg.Account)
}
