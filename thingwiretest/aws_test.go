package thingwiretest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/thingwire/thingwire/thingwiretest"
)

// An AWS client needs an endpoint, a key and trust: AWS's own signer is let in with what the server gives.
func TestAWSClientIsLetIn(t *testing.T) {
	t.Parallel()
	s := thingwiretest.Start(t)
	s.NewThing(t, "lamp", s.ThingScoped())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint()+"/things", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	id, secret := s.AccessKey()
	empty := sha256.Sum256(nil)
	key := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, req, hex.EncodeToString(empty[:]), "iot", s.Region(), time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := s.HTTPClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ Things []struct{ ThingName string } }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	if len(page.Things) != 1 || page.Things[0].ThingName != "lamp" {
		t.Errorf("%+v", page)
	}
}
