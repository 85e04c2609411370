// Package terraform has one test: Terraform's core and its AWS provider, whole and unchanged, apply, change, import and
// destroy against a real `thingwire serve`.
package terraform

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform/helper/resource"
	"github.com/hashicorp/terraform/terraform"
	"github.com/terraform-providers/terraform-provider-aws/aws"
)

// awsHost is where the provider goes: this version of it cannot be told another endpoint for IoT.
const awsHost = "iot.us-east-1.amazonaws.com"

// startServer gives the address of the api listener of a server of its own.
func startServer(t *testing.T, folder string) string {
	t.Helper()
	args := []string{"serve", "--data-dir", filepath.Join(folder, "data"), "--listen-shared", "off"}
	for _, name := range []string{"mqtts", "https", "api", "console"} {
		args = append(args, "--listen-"+name, "127.0.0.1:0")
	}
	child := exec.Command(os.Getenv("THINGWIRE"), args...)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal("THINGWIRE must name the binary: ", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(child.Process.Signal(os.Interrupt), child.Wait()); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ready") {
	}
	text, err := os.ReadFile(filepath.Join(folder, "data", "endpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	var endpoints struct{ API string }
	if err := json.Unmarshal(text, &endpoints); err != nil {
		t.Fatal(err)
	}
	return endpoints.API
}

// startProxy starts an HTTP proxy that leads to the server whoever wants AWS, and nobody anywhere else. To the provider it
// shows a certificate of AWS's name, whose PEM it leaves in a file; what the provider signed is passed on as it is.
func startProxy(t *testing.T, folder, server string) (uri, trusted string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mine, trusted := impersonate(t, folder)
	ca, err := os.ReadFile(filepath.Join(folder, "data", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != awsHost+":443" {
			http.Error(w, "not here", http.StatusForbidden)
			t.Errorf("%s %s", r.Method, r.Host)
			return
		}
		there, err := tls.Dial("tcp", server, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		raw, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			there.Close()
			return
		}
		fmt.Fprint(raw, "HTTP/1.1 200 Connection established\r\n\r\n")
		here := tls.Server(raw, mine)
		go func() { io.Copy(there, here); there.Close() }()
		go func() { io.Copy(here, there); here.Close() }()
	})}
	go proxy.Serve(l)
	t.Cleanup(func() { proxy.Close() })
	return "http://" + l.Addr().String(), trusted
}

// impersonate makes a certificate of AWS's name.
func impersonate(t *testing.T, folder string) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{awsHost}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "aws.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func keysOf(t *testing.T, folder string) (id, secret string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "data", "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			of[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return of["aws_access_key_id"], of["aws_secret_access_key"]
}

func signingRequest(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// configuration is what a user writes. aws_iot_thing_type is not in it: its deletion waits for five minutes, as on AWS.
func configuration(id, secret, csr, room, action string, active bool) string {
	return fmt.Sprintf(`
provider "aws" {
  region                      = "us-east-1"
  access_key                  = %q
  secret_key                  = %q
  skip_credentials_validation = true
  skip_get_ec2_platforms      = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

data "aws_iot_endpoint" "data" {
  endpoint_type = "iot:Data-ATS"
}

resource "aws_iot_thing" "lamp" {
  name       = "lamp"
  attributes = { room = %q }
}

resource "aws_iot_policy" "lamp" {
  name   = "lamp"
  policy = <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": %q, "Resource": "*"}]}
EOF
}

resource "aws_iot_certificate" "lamp" {
  csr    = <<EOF
%sEOF
  active = %v
}

resource "aws_iot_policy_attachment" "lamp" {
  policy = "${aws_iot_policy.lamp.name}"
  target = "${aws_iot_certificate.lamp.arn}"
}

resource "aws_iot_thing_principal_attachment" "lamp" {
  principal = "${aws_iot_certificate.lamp.arn}"
  thing     = "${aws_iot_thing.lamp.name}"
}
`, id, secret, room, action, csr, active)
}

func TestTerraform(t *testing.T) {
	folder := t.TempDir()
	proxy, trusted := startProxy(t, folder, startServer(t, folder))
	t.Setenv("HTTPS_PROXY", proxy)
	t.Setenv("AWS_CA_BUNDLE", trusted)
	id, secret := keysOf(t, folder)
	csr := signingRequest(t)
	const arn = "arn:aws:iot:us-east-1:000000000000:"
	is := resource.TestCheckResourceAttr
	resource.UnitTest(t, resource.TestCase{
		Providers: map[string]terraform.ResourceProvider{"aws": aws.Provider()},
		Steps: []resource.TestStep{
			{
				Config: configuration(id, secret, csr, "kitchen", "iot:*", true),
				Check: resource.ComposeTestCheckFunc(
					is("data.aws_iot_endpoint.data", "endpoint_address", awsHost), // as the client calls the server
					is("aws_iot_thing.lamp", "arn", arn+"thing/lamp"),
					is("aws_iot_thing.lamp", "default_client_id", "lamp"),
					is("aws_iot_thing.lamp", "attributes.room", "kitchen"),
					is("aws_iot_thing.lamp", "version", "1"),
					is("aws_iot_policy.lamp", "arn", arn+"policy/lamp"),
					is("aws_iot_policy.lamp", "default_version_id", "1"),
					is("aws_iot_certificate.lamp", "active", "true"),
				),
			},
			{
				Config: configuration(id, secret, csr, "cellar", "iot:Connect", false),
				Check: resource.ComposeTestCheckFunc(
					is("aws_iot_thing.lamp", "attributes.room", "cellar"),
					is("aws_iot_thing.lamp", "version", "2"),
					is("aws_iot_policy.lamp", "default_version_id", "2"),
					is("aws_iot_certificate.lamp", "active", "false"),
				),
			},
			{
				Config:       configuration(id, secret, csr, "cellar", "iot:Connect", false),
				ResourceName: "aws_iot_thing.lamp", ImportState: true, ImportStateVerify: true,
			},
		},
		CheckDestroy: func(*terraform.State) error { return gone(folder) },
	})
}

// gone asks the server itself what is left.
func gone(folder string) error {
	out, err := exec.Command(os.Getenv("THINGWIRE"), "thing", "list", "--output", "json", "--data-dir", filepath.Join(folder, "data")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "lamp") {
		return fmt.Errorf("after destroy: %v: %s", err, out)
	}
	return nil
}
