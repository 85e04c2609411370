package main

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

// awsSettings are what AWS's tools take from the environment and the shared credentials file.
type awsSettings struct {
	accessKeyID, secret, token string
	region                     string // us-east-1 when nobody says another
	caBundle                   string
}

// awsSettings finds the credentials as AWS's tools do (AWS SDKs reference, "Credential provider chain"): the environment,
// else the profile AWS_PROFILE of the shared credentials file.
func (w *world) awsSettings() (awsSettings, error) {
	s := awsSettings{
		accessKeyID: w.env("AWS_ACCESS_KEY_ID"), secret: w.env("AWS_SECRET_ACCESS_KEY"), token: w.env("AWS_SESSION_TOKEN"),
		region: firstOf(w.env("AWS_REGION"), w.env("AWS_DEFAULT_REGION")), caBundle: w.env("AWS_CA_BUNDLE"),
	}
	if (s.accessKeyID == "") != (s.secret == "") {
		return s, fault.New(fault.Invalid, "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set").WithRemedy("set both, or none to use a profile")
	}
	if s.accessKeyID == "" {
		profile, err := w.awsProfile()
		if err != nil {
			return s, err
		}
		s.accessKeyID, s.secret, s.token = profile["aws_access_key_id"], profile["aws_secret_access_key"], profile["aws_session_token"]
		s.region = firstOf(s.region, profile["region"])
	}
	s.region = firstOf(s.region, server.DefaultRegion)
	return s, nil
}

// awsProfile reads AWS_PROFILE of the shared credentials file.
func (w *world) awsProfile() (map[string]string, error) {
	const remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on the server's machine: eval \"$(thingwire env)\""
	name, path := firstOf(w.env("AWS_PROFILE"), "default"), w.env("AWS_SHARED_CREDENTIALS_FILE")
	if path == "" {
		path = filepath.Join(w.env("HOME"), ".aws", "credentials")
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Unauthenticated, "there are no AWS credentials, neither in the environment nor in %s", path).WithRemedy(remedy)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unauthenticated, err, "the AWS credentials cannot be read").WithRemedy(remedy)
	}
	profile := iniSection(data, name)
	if profile["aws_access_key_id"] == "" || profile["aws_secret_access_key"] == "" {
		return nil, fault.New(fault.Unauthenticated, "%s has no access key in a profile named %s", path, name).
			WithRemedy("set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return profile, nil
}

// iniSection reads one section of a file in AWS's INI format: names in small letters, # and ; at the beginning of a line
// for comments, indented lines belong to what stands before them and are passed over. Of two equal names the last counts.
func iniSection(data []byte, section string) map[string]string {
	values, inside := map[string]string{}, false
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1) // no line is too long
	for lines.Scan() {
		line := strings.TrimRight(strings.TrimPrefix(lines.Text(), "\ufeff"), " \t\r")
		switch {
		case line == "" || strings.ContainsRune("#; \t", rune(line[0])):
		case line[0] == '[':
			inside = strings.TrimSpace(strings.Trim(line, "[]")) == section
		case inside:
			if name, value, ok := strings.Cut(line, "="); ok {
				values[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
			}
		}
	}
	return values
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
