package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newEnv(w *world) *cobra.Command {
	var shell string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment for the AWS CLI and SDKs",
		Long: `Prints commands for a shell after which unmodified AWS tools talk to the server on this machine, with the access key of
its first start: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_DEFAULT_REGION, AWS_CA_BUNDLE
and NODE_EXTRA_CA_CERTS. AWS_SESSION_TOKEN is taken away. An alias gives --endpoint-url to versions of the AWS CLI that do
not know AWS_ENDPOINT_URL (before 1.29 and 2.13). The output has a secret.`,
		Example: `  eval "$(thingwire env)" && aws iot list-things
  thingwire env --shell fish | source`,
		Args: none,
	}
	dataDir, output := dataDirFlag(cmd), outputFlag(cmd)
	cmd.Flags().StringVar(&shell, "shell", "sh", "for which shell: sh (also bash, zsh) or fish")
	cmd.RunE = func(*cobra.Command, []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		show, ok := shells[shell]
		if !ok {
			return usage("--shell is %q; use sh or fish", shell)
		}
		dir, err := w.dataDir(*dataDir)
		if err != nil {
			return asUsage(err)
		}
		vars, err := awsVariables(dir)
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(vars)
		}
		w.printf("%s", show(vars))
		return nil
	}
	return cmd
}

// awsEnvironment is what AWS's tools need to know of a server, as --output json prints it.
type awsEnvironment struct {
	AccessKeyID   string `json:"AWS_ACCESS_KEY_ID"`
	Secret        string `json:"AWS_SECRET_ACCESS_KEY"`
	Region        string `json:"AWS_REGION"`
	DefaultRegion string `json:"AWS_DEFAULT_REGION"` // what older versions read
	Endpoint      string `json:"AWS_ENDPOINT_URL"`
	CABundle      string `json:"AWS_CA_BUNDLE"`
	NodeCA        string `json:"NODE_EXTRA_CA_CERTS"`
}

// awsVariables collects them from a data directory with a running server.
func awsVariables(dir string) (*awsEnvironment, error) {
	e, err := server.ReadEndpoints(dir)
	if err != nil {
		return nil, err
	}
	addr := e.Addresses["api"]
	if addr == "" {
		return nil, fault.New(fault.Unavailable, "the api listener of the server is off").WithRemedy("start the server with --listen-api :9443")
	}
	path := filepath.Join(dir, server.CredentialsFile)
	data, err := os.ReadFile(path)
	profile := iniSection(data, server.Profile)
	if err != nil || profile["aws_access_key_id"] == "" || profile["aws_secret_access_key"] == "" {
		return nil, fault.New(fault.NotFound, "%s has no access key in a profile named %s", path, server.Profile).
			WithRemedy("make one with: thingwire key create; and put it there")
	}
	region, ca := firstOf(profile["region"], server.DefaultRegion), filepath.Join(dir, server.RootCAFile)
	return &awsEnvironment{
		AccessKeyID: profile["aws_access_key_id"], Secret: profile["aws_secret_access_key"],
		Region: region, DefaultRegion: region, Endpoint: "https://" + reachable(addr), CABundle: ca, NodeCA: ca,
	}, nil
}

// reachable is how to name a listener's address from this machine: localhost, which stands in the server's certificate,
// unless it listens on one other address alone.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func (e *awsEnvironment) each(do func(name, value string)) {
	do("AWS_ACCESS_KEY_ID", e.AccessKeyID)
	do("AWS_SECRET_ACCESS_KEY", e.Secret)
	do("AWS_REGION", e.Region)
	do("AWS_DEFAULT_REGION", e.DefaultRegion)
	do("AWS_ENDPOINT_URL", e.Endpoint)
	do("AWS_CA_BUNDLE", e.CABundle)
	do("NODE_EXTRA_CA_CERTS", e.NodeCA)
}

var shells = map[string]func(*awsEnvironment) string{
	"sh": func(e *awsEnvironment) string {
		var b strings.Builder
		e.each(func(name, value string) { b.WriteString("export " + name + "=" + quoteSh(value) + "\n") })
		b.WriteString("unset AWS_SESSION_TOKEN\n")
		b.WriteString("alias aws=" + quoteSh(`aws --endpoint-url "$AWS_ENDPOINT_URL"`) + "\n")
		return b.String()
	},
	"fish": func(e *awsEnvironment) string {
		var b strings.Builder
		e.each(func(name, value string) { b.WriteString("set -gx " + name + " " + quoteFish(value) + "\n") })
		b.WriteString("set -e AWS_SESSION_TOKEN\n")
		b.WriteString("alias aws " + quoteFish(`aws --endpoint-url "$AWS_ENDPOINT_URL"`) + "\n")
		return b.String()
	},
}

func quoteSh(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
