package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newThingCreate(w *world) *cobra.Command {
	var policy, out string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a thing that can connect: certificate, private key, policy",
		Long: `Makes a thing, a certificate with its private key, and a policy, and attaches them to each other. The device's files
are written to --out and never overwritten; the private key is kept nowhere else.

The policy is a file with an AWS IoT policy document, or one of the built-in ones:
  thing-scoped      the device connects with the thing's name as client id, and uses topics below that name
  allow-everything  the device may do everything (the default)`,
		Example: `  thingwire thing create lamp --policy thing-scoped --out certs
  thingwire thing create lamp --policy lamp-policy.json`,
		Args: exactly("NAME"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.Flags().StringVar(&policy, "policy", "", "policy document, a file or a built-in name (default allow-everything)")
	cmd.Flags().StringVar(&out, "out", ".", "folder for NAME.cert.pem, NAME.private.key and root-CA.pem")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return w.ask(at, *output, func(client *server.Client, asJSON bool) error {
			want, err := newThingOf(args[0], policy)
			if err != nil {
				return err
			}
			return thingCreate(cmd.Context(), w, client, out, want, thingOutput{json: asJSON, warn: policy == ""})
		})
	}
	return cmd
}

// newThingOf finds out what --policy means.
func newThingOf(name, policy string) (server.NewThing, error) {
	switch policy {
	case "":
		return server.NewThing{Name: name, Policy: server.PolicyAllowEverything}, nil
	case server.PolicyAllowEverything, server.PolicyThingScoped:
		return server.NewThing{Name: name, Policy: policy}, nil
	}
	data, err := os.ReadFile(policy)
	if err != nil {
		return server.NewThing{}, fault.Wrap(fault.NotFound, err, "--policy is neither a built-in policy nor a file that can be read").
			WithRemedy("use %s, %s, or the name of a file", server.PolicyThingScoped, server.PolicyAllowEverything)
	}
	return server.NewThing{Name: name, Document: string(data)}, nil
}

type thingOutput struct {
	json bool
	warn bool // that the policy allows everything, which was nobody's choice
}

// createdThing is what --output json prints.
type createdThing struct {
	*server.Provisioned
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"privateKey"`
	RootCA      string `json:"rootCA"`
}

func thingCreate(ctx context.Context, w *world, client *server.Client, out string, want server.NewThing, show thingOutput) (err error) {
	files, err := reserve(out, want.Name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, files.remove())
		}
	}()
	made, err := client.Provision(ctx, want)
	if err != nil {
		return err
	}
	if err := files.write(made); err != nil {
		undo := context.WithoutCancel(ctx)
		return errors.Join(err, client.Remove(undo, want.Name))
	}
	if show.json {
		return w.printJSON(createdThing{made, files.cert, files.key, files.rootCA})
	}
	w.printf("Thing %s can connect. Its files:\n  %s\n  %s\n  %s\n", want.Name, files.cert, files.key, files.rootCA)
	if show.warn {
		w.printf("Its policy %s allows everything on this account. Better: --policy thing-scoped\n", made.PolicyName)
	}
	return nil
}

// thingFiles are the files of a device. They are made empty before anything is asked of the server, so that a thing
// whose key has no place to go is never made.
type thingFiles struct {
	cert, key, rootCA string
	made              []string // by us, to be removed when the rest fails
}

func reserve(out, name string) (*thingFiles, error) {
	if filepath.Base(name) != name || name == "." || name == ".." {
		return nil, usage("thing name %q: use letters, digits, colon, underscore and hyphen", name)
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "--out cannot be made").WithRemedy("choose another folder")
	}
	f := &thingFiles{
		cert:   filepath.Join(out, name+".cert.pem"),
		key:    filepath.Join(out, name+".private.key"),
		rootCA: filepath.Join(out, "root-CA.pem"),
	}
	for _, path := range []string{f.cert, f.key} {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			f.made = append(f.made, path)
			err = file.Close()
		}
		if err != nil {
			return nil, errors.Join(reserved(path, err), f.remove())
		}
	}
	return f, nil
}

func reserved(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Exists, "%s is there already and is never overwritten", path).WithRemedy("choose another --out, or move it away")
	}
	return fault.Wrap(fault.Invalid, err, "the device's files cannot be written").WithRemedy("choose another --out")
}

// write fills the reserved files and waits until they are on disk: nobody has the key a second time. The CA's
// certificate is public and the same for all things of a server.
func (f *thingFiles) write(made *server.Provisioned) error {
	for path, text := range map[string]string{f.cert: made.CertificatePEM, f.key: made.PrivateKeyPEM} {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return reserved(path, err)
		}
		_, err = file.WriteString(text)
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			return reserved(path, err)
		}
	}
	return f.writeRootCA(made.RootPEM)
}

func (f *thingFiles) writeRootCA(text string) error {
	was, err := os.ReadFile(f.rootCA)
	if err == nil && string(was) == text {
		return nil
	}
	if err == nil {
		return fault.New(fault.Exists, "%s is there already and belongs to another server", f.rootCA).WithRemedy("choose another --out, or move it away")
	}
	file, err := os.OpenFile(f.rootCA, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // G302, G304: a public certificate in the user's folder
	if err != nil {
		return reserved(f.rootCA, err)
	}
	f.made = append(f.made, f.rootCA)
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func (f *thingFiles) remove() error {
	var errs []error
	for _, path := range f.made {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
