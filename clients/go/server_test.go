package foreign

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// wait is how long an event may take to come. No test waits for time to pass.
const wait = 20 * time.Second

const arn = "arn:aws:iot:us-east-1:000000000000:"

// theServer is the one server of all tests; everything is a thing that may do everything.
var (
	theServer  *server
	everything *thing
)

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "thingwire-go-")
	if err == nil {
		theServer, err = startServer(folder)
	}
	if err == nil {
		everything, err = theServer.newThing("everything", "")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	if err := theServer.stop(); err != nil {
		fmt.Println(err)
		code = 1
	}
	_ = os.RemoveAll(folder) // it is temporary
	os.Exit(code)
}

type server struct {
	binary, folder, mqtts, api string
	child                      *exec.Cmd
}

func startServer(folder string) (*server, error) {
	s := &server{binary: os.Getenv("THINGWIRE"), folder: folder}
	args := []string{"serve", "--data-dir", filepath.Join(folder, "data")}
	for _, name := range []string{"mqtts", "https", "api", "console"} {
		args = append(args, "--listen-"+name, "127.0.0.1:0")
	}
	s.child = exec.Command(s.binary, append(args, "--listen-shared", "off")...)
	s.child.Stderr = os.Stderr
	out, err := s.child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.child.Start(); err != nil {
		return nil, fmt.Errorf("THINGWIRE must name the binary: %w", err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ready") {
			return s, s.readEndpoints()
		}
	}
	return nil, fmt.Errorf("the server ended before it was ready: %w", s.child.Wait())
}

func (s *server) readEndpoints() error {
	text, err := os.ReadFile(filepath.Join(s.folder, "data", "endpoints.json"))
	if err != nil {
		return err
	}
	var endpoints map[string]any
	if err := json.Unmarshal(text, &endpoints); err != nil {
		return err
	}
	s.mqtts, _ = endpoints["mqtts"].(string)
	s.api, _ = endpoints["api"].(string)
	return nil
}

// stop asks the server to stop and expects it to do so in order.
func (s *server) stop() error {
	if err := s.child.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return s.child.Wait()
}

// thing is a thing with its certificate.
type thing struct {
	name string
	tls  *tls.Config
}

// newThing makes a thing with a policy: a document, the name of a built-in one, or "" for all that this account has.
func (s *server) newThing(name, policy string) (*thing, error) {
	args := []string{"thing", "create", name, "--out", s.folder, "--data-dir", filepath.Join(s.folder, "data")}
	if strings.HasPrefix(policy, "{") {
		file := filepath.Join(s.folder, name+".policy.json")
		if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
			return nil, err
		}
		policy = file
	}
	if policy != "" {
		args = append(args, "--policy", policy)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if out, err := exec.CommandContext(ctx, s.binary, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("thing create: %w: %s", err, out)
	}
	file := func(suffix string) string { return filepath.Join(s.folder, suffix) }
	pair, err := tls.LoadX509KeyPair(file(name+".cert.pem"), file(name+".private.key"))
	if err != nil {
		return nil, err
	}
	trusted, err := s.trusted()
	if err != nil {
		return nil, err
	}
	trusted.Certificates = []tls.Certificate{pair}
	return &thing{name, trusted}, nil
}

// trusted is how clients of this server meet it.
func (s *server) trusted() (*tls.Config, error) {
	ca, err := os.ReadFile(filepath.Join(s.folder, "data", "ca.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}, nil
}

// keys are the access key of the first start, which may do everything, as AWS's SDKs take it.
func (s *server) keys() (aws.CredentialsProviderFunc, error) {
	text, err := os.ReadFile(filepath.Join(s.folder, "data", "credentials"))
	if err != nil {
		return nil, err
	}
	of := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok {
			of[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: of["aws_access_key_id"], SecretAccessKey: of["aws_secret_access_key"]}, nil
	}, nil
}

// scoped is a thing that may connect as allowed-… and use the topics below mine/.
func scoped(t *testing.T) *thing {
	t.Helper()
	one, err := theServer.newThing(unique("scoped"), `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"`+arn+`client/allowed-*"},
		{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"`+arn+`topic/mine/*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+arn+`topicfilter/mine/*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

var last atomic.Int64

// unique is a name that no other test uses.
func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, last.Add(1)) }

// take waits for an event.
func take[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(wait):
		t.Fatalf("no %s within %s", what, wait)
		panic("unreachable")
	}
}
