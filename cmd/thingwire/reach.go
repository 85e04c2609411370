package main

import (
	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

// reach is how a verb finds its server: the flags --data-dir and --endpoint.
type reach struct{ dataDir, endpoint string }

// reachFlags adds them to a verb.
func reachFlags(cmd *cobra.Command) *reach {
	r := &reach{}
	cmd.Flags().StringVar(&r.dataDir, "data-dir", "", dataDirHelp)
	cmd.Flags().StringVar(&r.endpoint, "endpoint", "", "URL of a server elsewhere, to sign for with the AWS credentials (default $AWS_ENDPOINT_URL)")
	return r
}

// client is a client of the server that a verb means: the one of a named data directory or endpoint; else the one that
// runs on the usual data directory; else the one of AWS_ENDPOINT_URL.
func (w *world) client(r *reach) (*server.Client, error) {
	if r.dataDir != "" && r.endpoint != "" {
		return nil, usage("--data-dir and --endpoint name two servers; use one of them")
	}
	endpoint := firstOf(r.endpoint, w.env("AWS_ENDPOINT_URL"))
	if r.endpoint == "" {
		dir, err := w.dataDir(r.dataDir)
		if err != nil && endpoint == "" {
			return nil, asUsage(err)
		}
		if err == nil && (r.dataDir != "" || endpoint == "" || server.Serving(dir)) {
			return server.NewAdmin(dir), nil
		}
	}
	return w.remote(endpoint)
}

// ask opens the client of a verb that answers in words or in JSON, and closes it again.
func (w *world) ask(at *reach, output string, call func(client *server.Client, asJSON bool) error) error {
	asJSON, err := wantsJSON(output)
	if err != nil {
		return err
	}
	client, err := w.client(at)
	if err != nil {
		return err
	}
	defer client.Close()
	return call(client, asJSON)
}

// remote is a client that signs with the AWS credentials.
func (w *world) remote(endpoint string) (*server.Client, error) {
	s, err := w.awsSettings()
	if err != nil {
		return nil, err
	}
	c, err := server.NewRemote(server.Remote{
		Endpoint: endpoint, AccessKeyID: s.accessKeyID, Secret: s.secret, Token: s.token, Region: s.region, CABundle: s.caBundle,
	})
	if fault.Is(err, fault.Invalid) {
		return nil, asUsage(err)
	}
	return c, err
}
