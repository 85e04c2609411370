package server

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// The versions of the services that the Query protocol carries.
const (
	iamVersion            = "2010-05-08"
	cloudFormationVersion = "2010-05-15"
)

// iam calls an operation of IAM and reads the members of its result; out is nil where there is none.
func (c *Client) iam(ctx context.Context, action string, members url.Values, out any) error {
	return c.query(ctx, serviceIAM, iamVersion, action, members, out)
}

// cloudFormation calls an operation of CloudFormation.
func (c *Client) cloudFormation(ctx context.Context, action string, members url.Values, out any) error {
	return c.query(ctx, serviceCloudFormation, cloudFormationVersion, action, members, out)
}

func (c *Client) query(ctx context.Context, service, version, action string, members url.Values, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	maps.Copy(form, members)
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	data, err := c.ask(ctx, request{http.MethodPost, c.queryPath(), header, []byte(form.Encode()), service})
	if err != nil || out == nil {
		return err
	}
	if err := readQueryResult(data, out); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the answer of the server to %s cannot be read", action)
	}
	return nil
}

// queryPath is the path of the Query protocol: that of the endpoint itself.
func (c *Client) queryPath() string {
	if _, rest, _ := strings.Cut(c.base, "://"); strings.Contains(rest, "/") {
		return ""
	}
	return "/"
}

// readQueryResult reads the element <…Result> below the root.
func readQueryResult(data []byte, out any) error {
	in := xml.NewDecoder(bytes.NewReader(data))
	for depth := 0; ; {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return errors.New("it has no result")
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 1 && strings.HasSuffix(t.Name.Local, "Result") {
				return in.DecodeElement(out, &t)
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
}

// queryRefusal reads an error of the Query protocol; empty words for what is none.
func queryRefusal(data []byte) (code, message string) {
	var e struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Error   struct{ Code, Message string }
	}
	if xml.Unmarshal(data, &e) != nil {
		return "", ""
	}
	return e.Error.Code, e.Error.Message
}
