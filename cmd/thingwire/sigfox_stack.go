package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

// sigfoxStackName is what the stack is called when nobody says otherwise.
const sigfoxStackName = "sigfox"

func newSigfoxStack(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stack",
		Short: "The stack that lets the Sigfox cloud publish to one topic",
		Long: `An AWS IoT callback publishes in the name of a role of your account. The stack makes that role: the Sigfox cloud may
assume it with your external id, and it may publish to one topic and do nothing else. What create prints is what
the callback asks for. The same stack is made by: aws cloudformation deploy, with the template that
"thingwire sigfox stack template" prints.`,
		Args: cobra.ArbitraryArgs, // needVerb has better words for them
		RunE: needVerb,
	}
	cmd.AddCommand(newSigfoxStackCreate(w), newSigfoxStackShow(w), newSigfoxStackDelete(w), newSigfoxStackTemplate(w))
	return cmd
}

func newSigfoxStackCreate(w *world) *cobra.Command {
	var n server.NewSigfoxStack
	cmd := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Make the stack, and print what the callback asks for",
		Example: `  thingwire sigfox stack create --external-id 7e4c9f1d --topic sigfox
  thingwire sigfox stack create meters --external-id 7e4c9f1d --topic meters/sigfox --output json`,
		Args: atMostOne("NAME"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&n.ExternalID, "external-id", "", "external id, as the callback shows it")
	f.StringVar(&n.Topic, "topic", "sigfox", "topic that receives the messages")
	f.StringVar(&n.Region, "region", "", "region of the topic (default the server's)")
	f.StringVar(&n.Account, "account", "", "account of the topic (default the server's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if n.ExternalID == "" {
			return usage("say --external-id ID, as the callback shows it")
		}
		n.Name = nameOr(args, sigfoxStackName)
		return w.withStack(cmd, at, *output, func(ctx context.Context, c *server.Client) (*server.SigfoxStack, error) {
			return c.CreateSigfoxStack(ctx, n)
		})
	}
	return cmd
}

func newSigfoxStackShow(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [NAME]",
		Short:   "Print what the callback asks for",
		Example: "  thingwire sigfox stack show",
		Args:    atMostOne("NAME"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return w.withStack(cmd, at, *output, func(ctx context.Context, c *server.Client) (*server.SigfoxStack, error) {
			return c.SigfoxStack(ctx, nameOr(args, sigfoxStackName))
		})
	}
	return cmd
}

// withStack prints the stack that a call gives.
func (w *world) withStack(cmd *cobra.Command, at *reach, output string, call func(context.Context, *server.Client) (*server.SigfoxStack, error)) error {
	return w.ask(at, output, func(client *server.Client, asJSON bool) error {
		s, err := call(cmd.Context(), client)
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(s)
		}
		w.printf("Stack %s: %s\n  ARNRole  %s\n  Topic    %s\n  Region   %s\n", s.Name, s.Status, s.ARNRole, s.Topic, s.Region)
		return nil
	})
}

func newSigfoxStackDelete(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete [NAME]",
		Short:   "Delete the stack and its role: the callback publishes no more",
		Example: "  thingwire sigfox stack delete",
		Args:    atMostOne("NAME"),
	}
	at := reachFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		name := nameOr(args, sigfoxStackName)
		if err := client.DeleteSigfoxStack(cmd.Context(), name); err != nil {
			return err
		}
		w.printf("Stack %s is deleted.\n", name)
		return nil
	}
	return cmd
}

func newSigfoxStackTemplate(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "template",
		Short:   "Print the template, for aws cloudformation deploy",
		Example: "  thingwire sigfox stack template > sigfox.yaml",
		Args:    none,
	}
	at := reachFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		t, err := client.SigfoxTemplate(cmd.Context())
		if err != nil {
			return err
		}
		w.printf("%s", t.Template)
		return nil
	}
	return cmd
}

// atMostOne takes an argument or none.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("use it as: %s [%s]; see: %s --help", cmd.CommandPath(), name, cmd.CommandPath())
		}
		return nil
	}
}

func nameOr(args []string, usual string) string {
	if len(args) > 0 {
		return args[0]
	}
	return usual
}
