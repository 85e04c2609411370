package delivery

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// awsTarget is an AWSTarget that was looked through: nothing in it can lead to a host that is not the operator's or
// AWS's.
type awsTarget struct {
	AWSTarget
	partition, account string // of the role
	endpoints          Endpoints
}

var (
	rolePattern    = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/[\x21-\x7e]{1,576}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$`)
	sessionPattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// ParseRole gives the partition and the account of the ARN of a role, which is what AWSTarget.RoleARN has to be.
func ParseRole(arn string) (partition, account string, err error) {
	m := rolePattern.FindStringSubmatch(arn)
	if m == nil {
		return "", "", fault.New(fault.Invalid, "ARN Role %.80q is not the ARN of a role", arn).
			WithRemedy("use the stack's output ARNRole, as in arn:aws:iam::123456789012:role/NAME")
	}
	return m[1], m[2], nil
}

// CheckRegion refuses what AWSTarget.Region cannot be.
func CheckRegion(name string) error {
	if !regionPattern.MatchString(name) {
		return fault.New(fault.Invalid, "Region %.40q is not the name of a region", name).WithRemedy("use the stack's output Region, such as eu-west-1")
	}
	return nil
}

func (s *Sender) target(t *AWSTarget) (*awsTarget, error) {
	out := &awsTarget{AWSTarget: *t}
	var err error
	if out.partition, out.account, err = ParseRole(t.RoleARN); err != nil {
		return nil, err
	}
	if err := CheckRegion(t.Region); err != nil {
		return nil, err
	}
	if t.Topic == "" {
		return nil, fault.New(fault.Invalid, "Topic is missing").WithRemedy("use the stack's output Topic")
	}
	if out.SessionName == "" {
		out.SessionName = "sigfox"
	}
	if !sessionPattern.MatchString(out.SessionName) {
		return nil, fault.New(fault.Invalid, "Session name %.80q is none", t.SessionName).WithRemedy("use 2 to 64 letters, digits, or +=,.@_-")
	}
	if s.cfg.Endpoints != nil {
		out.endpoints = s.cfg.Endpoints(t.Region)
	}
	out.endpoints.STS = strings.TrimSuffix(cmp.Or(out.endpoints.STS, "https://sts."+t.Region+"."+domain(t.Region)), "/")
	out.endpoints.Data = strings.TrimSuffix(cmp.Or(out.endpoints.Data, "https://"+dataHost(t.Region)), "/")
	return out, nil
}

func (t *awsTarget) name() roleName { return roleName{t.RoleARN, t.ExternalID, t.SessionName} }

// topicARN is what the role's policy has to allow.
func (t *awsTarget) topicARN() string {
	return "arn:" + t.partition + ":iot:" + t.Region + ":" + t.account + ":topic/" + t.Topic
}

// publishURL is the Publish operation of the topic, which is one segment of the path (API reference, section 1.1).
func (t *awsTarget) publishURL() string {
	return t.endpoints.Data + "/topics/" + strings.ReplaceAll(url.QueryEscape(t.Topic), "+", "%20") + "?qos=0"
}

// assumeForm is the AssumeRole operation (API reference, section 3.2).
func (t *awsTarget) assumeForm() url.Values {
	form := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {t.RoleARN}, "RoleSessionName": {t.SessionName},
	}
	if t.ExternalID != "" {
		form.Set("ExternalId", t.ExternalID)
	}
	return form
}

func domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// dataHost is the data plane's host that no account's prefix is needed for (API reference, section 4.3).
func dataHost(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "data.ats.iot." + region + "." + domain(region)
	}
	return "data-ats.iot." + region + "." + domain(region)
}
