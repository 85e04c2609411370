package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestDialogues runs the files of testdata/dialogues. Those that begin with aws- or iam- hold the examples of the page of
// the AWS documentation whose name follows; the answers in them were checked against what the page says about each.
//
//	policy [name=N] [version=V] [iam] [add]   sets (or adds) a policy, or prints why it is refused
//	ask [client=ID] [thing=T] [type=TY] [attr=(k=v,…)] [cert] [certid=H] [ip=A] [sni=D] [now=T] [KEY=(v,…)] [extra:KEY=v]
//
// The lines of ask are "action resource", the resource without its ARN head. An argument with a colon is a condition key.
func TestDialogues(t *testing.T) {
	datadriven.Walk(t, "testdata/dialogues", func(t *testing.T, path string) {
		var sources []Source
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "policy":
				return dialoguePolicy(t, d, &sources)
			case "ask":
				return dialogueAsk(t, d, Compile(sources...))
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

func dialoguePolicy(t *testing.T, d *datadriven.TestData, sources *[]Source) string {
	name, version, kind := "p", "1", IoT
	d.MaybeScanArgs(t, "name", &name)
	d.MaybeScanArgs(t, "version", &version)
	if d.HasArg("iam") {
		kind = IAM
	}
	if !d.HasArg("add") {
		*sources = nil
	}
	doc, err := Parse([]byte(d.Input), kind)
	if err != nil {
		return "refused: " + err.Error() + "\n"
	}
	*sources = append(*sources, Source{Name: name, Version: version, Document: doc})
	return "ok\n"
}

const dialogueARN = "arn:aws:iot:us-east-1:123456789012:"

func dialogueAsk(t *testing.T, d *datadriven.TestData, s *Set) string {
	c := &Connection{Extra: Values{}}
	r := Request{Vars: c, Keys: map[string][]string{}}
	for _, arg := range d.CmdArgs {
		dialogueArg(t, d, arg, c, &r)
	}
	var b strings.Builder
	for line := range strings.Lines(d.Input) {
		action, resource, _ := strings.Cut(strings.TrimSpace(line), " ")
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
			resource = dialogueARN + resource
		}
		r.Action, r.Resource = action, resource
		got := s.Decide(&r)
		verdict := "no:   "
		if got.Allowed {
			verdict = "yes:  "
		} else if got.Explicit {
			verdict = "DENY: "
		}
		fmt.Fprint(&b, verdict, s.Explain(&r))
		if got.TimeDependent {
			b.WriteString(" [time]")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func dialogueArg(t *testing.T, d *datadriven.TestData, arg datadriven.CmdArg, c *Connection, r *Request) {
	t.Helper()
	first := ""
	if len(arg.Vals) > 0 {
		first = arg.Vals[0]
	}
	switch arg.Key {
	case "client":
		c.ClientID, c.HasClientID = first, true
	case "thing":
		c.ThingName, c.ThingAttached = first, true
	case "type":
		c.ThingTypeName = first
	case "attr":
		c.ThingAttributes = map[string]string{}
		for _, kv := range arg.Vals {
			k, v, _ := strings.Cut(kv, "=")
			c.ThingAttributes[k] = v
		}
	case "cert":
		c.Certificate = awsCertificate(t)
	case "certid":
		c.CertificateID = first
	case "ip":
		c.SourceIP = netip.MustParseAddr(first)
	case "sni":
		c.DomainName = first
	case "now":
		now, err := time.Parse(time.RFC3339, first)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		r.Now = now
	default:
		dialogueKey(t, d, arg, c, r)
	}
}

func dialogueKey(t *testing.T, d *datadriven.TestData, arg datadriven.CmdArg, c *Connection, r *Request) {
	t.Helper()
	if key, ok := strings.CutPrefix(arg.Key, "extra:"); ok {
		c.Extra[Fold(key)] = arg.Vals
		return
	}
	if !strings.Contains(arg.Key, ":") {
		d.Fatalf(t, "unknown argument %q", arg.Key)
	}
	if len(arg.Vals) == 1 && arg.Vals[0] == "" {
		arg.Vals = nil
	}
	r.Keys[arg.Key] = arg.Vals
}
