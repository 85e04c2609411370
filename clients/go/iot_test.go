package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

func attributes(of map[string]string) *types.AttributePayload {
	return &types.AttributePayload{Attributes: of}
}

func TestIoTLifeOfAThing(t *testing.T) {
	t.Parallel()
	c, ctx, name := newIoT(t), t.Context(), unique("thing")
	must[*iot.CreateThingTypeOutput](t)(c.CreateThingType(ctx, &iot.CreateThingTypeInput{
		ThingTypeName: &name, ThingTypeProperties: &types.ThingTypeProperties{
			ThingTypeDescription: aws.String("shines"), SearchableAttributes: []string{"room"},
		}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("light")}},
	}))
	made := must[*iot.CreateThingOutput](t)(c.CreateThing(ctx, &iot.CreateThingInput{
		ThingName: &name, ThingTypeName: &name, AttributePayload: attributes(map[string]string{"room": "kitchen", "watt": "7"}),
	}))
	if *made.ThingArn != arn+"thing/"+name || *made.ThingName != name || len(*made.ThingId) != 36 {
		t.Errorf("made %s %s %s", *made.ThingArn, *made.ThingName, *made.ThingId)
	}
	must[*iot.UpdateThingOutput](t)(c.UpdateThing(ctx, &iot.UpdateThingInput{
		ThingName: &name, ExpectedVersion: aws.Int64(1),
		AttributePayload: &types.AttributePayload{Attributes: map[string]string{"room": "cellar", "watt": ""}, Merge: true},
	}))
	seen := must[*iot.DescribeThingOutput](t)(c.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &name}))
	if seen.Version != 2 || *seen.ThingTypeName != name || *seen.DefaultClientId != name || !maps.Equal(seen.Attributes, map[string]string{"room": "cellar"}) {
		t.Errorf("version %d, type %s, attributes %v", seen.Version, *seen.ThingTypeName, seen.Attributes)
	}

	house, floor := unique("house"), unique("floor")
	must[*iot.CreateThingGroupOutput](t)(c.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: &house}))
	must[*iot.CreateThingGroupOutput](t)(c.CreateThingGroup(ctx, &iot.CreateThingGroupInput{
		ThingGroupName: &floor, ParentGroupName: &house, ThingGroupProperties: &types.ThingGroupProperties{
			ThingGroupDescription: aws.String("upstairs"), AttributePayload: attributes(map[string]string{"level": "1"}),
		},
	}))
	must[*iot.AddThingToThingGroupOutput](t)(c.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: &name, ThingGroupName: &floor}))
	group := must[*iot.DescribeThingGroupOutput](t)(c.DescribeThingGroup(ctx, &iot.DescribeThingGroupInput{ThingGroupName: &floor}))
	meta := group.ThingGroupMetadata
	if *meta.ParentGroupName != house || len(meta.RootToParentThingGroups) != 1 || time.Since(*meta.CreationDate) > time.Minute || group.Version != 1 {
		t.Errorf("group %+v", meta)
	}
	inside := must[*iot.ListThingsInThingGroupOutput](t)(c.ListThingsInThingGroup(ctx, &iot.ListThingsInThingGroupInput{ThingGroupName: &house, Recursive: true}))
	if !slices.Equal(inside.Things, []string{name}) {
		t.Errorf("in the house: %v", inside.Things)
	}
	must[*iot.RemoveThingFromThingGroupOutput](t)(c.RemoveThingFromThingGroup(ctx, &iot.RemoveThingFromThingGroupInput{ThingName: &name, ThingGroupName: &floor}))
	for _, g := range []string{floor, house} {
		must[*iot.DeleteThingGroupOutput](t)(c.DeleteThingGroup(ctx, &iot.DeleteThingGroupInput{ThingGroupName: &g}))
	}
	must[*iot.DeleteThingOutput](t)(c.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &name, ExpectedVersion: aws.Int64(2)}))
	_, err := c.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &name})
	wantError[*types.ResourceNotFoundException](t, err)
}

// A device's own key, the certificate that the service makes of it, attachments in both directions, and the device that
// connects with it.
func TestIoTKeysFromACSR(t *testing.T) {
	t.Parallel()
	c, ctx, name, key := newIoT(t), t.Context(), unique("csr"), newKey(t)
	made := must[*iot.CreateCertificateFromCsrOutput](t)(c.CreateCertificateFromCsr(ctx, &iot.CreateCertificateFromCsrInput{
		CertificateSigningRequest: aws.String(signingRequest(t, key)), SetAsActive: true,
	}))
	seen := must[*iot.DescribeCertificateOutput](t)(c.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: made.CertificateId})).CertificateDescription
	if seen.Status != types.CertificateStatusActive || *seen.CertificatePem != *made.CertificatePem || seen.Validity.NotAfter.Year() != 2049 {
		t.Errorf("described: %s, until %v", seen.Status, seen.Validity.NotAfter)
	}
	must[*iot.CreateThingOutput](t)(c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name}))
	must[*iot.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(everythingAllowed)}))
	must[*iot.AttachThingPrincipalOutput](t)(c.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{ThingName: &name, Principal: made.CertificateArn}))
	must[*iot.AttachPolicyOutput](t)(c.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &name, Target: made.CertificateArn}))

	principals := must[*iot.ListThingPrincipalsOutput](t)(c.ListThingPrincipals(ctx, &iot.ListThingPrincipalsInput{ThingName: &name}))
	things := must[*iot.ListPrincipalThingsOutput](t)(c.ListPrincipalThings(ctx, &iot.ListPrincipalThingsInput{Principal: made.CertificateArn}))
	policies := must[*iot.ListAttachedPoliciesOutput](t)(c.ListAttachedPolicies(ctx, &iot.ListAttachedPoliciesInput{Target: made.CertificateArn}))
	targets := must[*iot.ListTargetsForPolicyOutput](t)(c.ListTargetsForPolicy(ctx, &iot.ListTargetsForPolicyInput{PolicyName: &name}))
	if !slices.Equal(principals.Principals, []string{*made.CertificateArn}) || !slices.Equal(things.Things, []string{name}) ||
		len(policies.Policies) != 1 || *policies.Policies[0].PolicyArn != arn+"policy/"+name || !slices.Equal(targets.Targets, []string{*made.CertificateArn}) {
		t.Errorf("attached: %v %v %v %v", principals.Principals, things.Things, policies.Policies, targets.Targets)
	}

	device := open5(t, deviceOf(t, name, *made.CertificatePem, key), clean(name))
	connected := must[*iot.GetThingConnectivityDataOutput](t)(c.GetThingConnectivityData(ctx, &iot.GetThingConnectivityDataInput{
		ThingName: &name, IncludeSocketInformation: aws.Bool(true),
	}))
	if !*connected.Connected || connected.DisconnectReason != types.DisconnectReasonValueNone || time.Since(*connected.Timestamp) > time.Minute ||
		*connected.SourceIp != "127.0.0.1" || fmt.Sprintf("127.0.0.1:%d", *connected.TargetPort) != theServer.mqtts || *connected.SourcePort == 0 ||
		*connected.KeepAliveDuration != 60 || !*connected.CleanSession || *connected.SessionExpiry != 0 || *connected.ClientId != name {
		t.Errorf("connected: %+v", connected)
	}
	must[*iot.UpdateCertificateOutput](t)(c.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: made.CertificateId, NewStatus: types.CertificateStatusRevoked}))
	take(t, device.ended, "DISCONNECT of a revoked certificate")
	gone := connected
	for end := time.Now().Add(wait); *gone.Connected && time.Now().Before(end); { // the device may hear of it first
		gone = must[*iot.GetThingConnectivityDataOutput](t)(c.GetThingConnectivityData(ctx, &iot.GetThingConnectivityDataInput{ThingName: &name}))
	}
	if *gone.Connected || gone.DisconnectReason != types.DisconnectReasonValueServerInitiatedDisconnect || gone.SourceIp != nil {
		t.Errorf("gone: %v %s %v", *gone.Connected, gone.DisconnectReason, gone.SourceIp)
	}

	must[*iot.DetachThingPrincipalOutput](t)(c.DetachThingPrincipal(ctx, &iot.DetachThingPrincipalInput{ThingName: &name, Principal: made.CertificateArn}))
	must[*iot.DetachPolicyOutput](t)(c.DetachPolicy(ctx, &iot.DetachPolicyInput{PolicyName: &name, Target: made.CertificateArn}))
	must[*iot.DeleteCertificateOutput](t)(c.DeleteCertificate(ctx, &iot.DeleteCertificateInput{CertificateId: made.CertificateId}))
	must[*iot.DeletePolicyOutput](t)(c.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: &name}))
}

func TestIoTPolicyThroughFiveVersions(t *testing.T) {
	t.Parallel()
	c, ctx, name := newIoT(t), t.Context(), unique("policy")
	document := func(n int) *string {
		return aws.String(strings.Replace(everythingAllowed, `"*"`, fmt.Sprintf("%q", arn+fmt.Sprint("client/", n)), 1))
	}
	must[*iot.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: document(1)}))
	add := &iot.CreatePolicyVersionInput{PolicyName: &name, SetAsDefault: true}
	for n := 2; n <= 5; n++ {
		add.PolicyDocument = document(n)
		v := must[*iot.CreatePolicyVersionOutput](t)(c.CreatePolicyVersion(ctx, add))
		if *v.PolicyVersionId != fmt.Sprint(n) || !v.IsDefaultVersion || *v.PolicyDocument != *document(n) {
			t.Errorf("version %d is %s", n, *v.PolicyVersionId)
		}
	}
	_, err := c.CreatePolicyVersion(ctx, add)
	wantError[*types.VersionsLimitExceededException](t, err)
	must[*iot.SetDefaultPolicyVersionOutput](t)(c.SetDefaultPolicyVersion(ctx, &iot.SetDefaultPolicyVersionInput{PolicyName: &name, PolicyVersionId: aws.String("3")}))
	now := must[*iot.GetPolicyOutput](t)(c.GetPolicy(ctx, &iot.GetPolicyInput{PolicyName: &name}))
	if *now.DefaultVersionId != "3" || *now.PolicyDocument != *document(3) || now.LastModifiedDate.Before(*now.CreationDate) {
		t.Errorf("default is %s: %s", *now.DefaultVersionId, *now.PolicyDocument)
	}
	versions := must[*iot.ListPolicyVersionsOutput](t)(c.ListPolicyVersions(ctx, &iot.ListPolicyVersionsInput{PolicyName: &name})).PolicyVersions
	for i, v := range versions {
		if want := fmt.Sprint(5 - i); *v.VersionId != want || v.IsDefaultVersion != (want == "3") || v.CreateDate == nil {
			t.Errorf("version %d of the list is %s, default %v", i, *v.VersionId, v.IsDefaultVersion)
		}
		_, err := c.DeletePolicyVersion(ctx, &iot.DeletePolicyVersionInput{PolicyName: &name, PolicyVersionId: v.VersionId})
		if v.IsDefaultVersion {
			wantError[*types.DeleteConflictException](t, err)
		} else if err != nil {
			t.Error(err)
		}
	}
	must[*iot.DeletePolicyOutput](t)(c.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: &name}))
}

// The SDK's paginators over 300 things and 300 policies, of both families of tokens: each is there once, in the same order
// whatever the size of a page.
func TestIoTPaginators(t *testing.T) {
	t.Parallel()
	const many = 300
	c, ctx, prefix := newIoT(t), t.Context(), unique("many")
	made := make(chan error)
	for worker := range 6 {
		go func() {
			var err error
			for i := worker; i < many && err == nil; i += 6 {
				name := fmt.Sprintf("%s-%03d", prefix, i)
				if _, err = c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name, AttributePayload: attributes(map[string]string{"many": prefix})}); err == nil {
					_, err = c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(everythingAllowed)})
				}
			}
			made <- err
		}()
	}
	for range 6 {
		if err := <-made; err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int32{7, 100, 250} {
		var things, policies []string
		pages := 0
		for p := iot.NewListThingsPaginator(c, &iot.ListThingsInput{AttributeName: aws.String("many"), AttributeValue: &prefix, MaxResults: &size}); p.HasMorePages(); pages++ {
			for _, thing := range must[*iot.ListThingsOutput](t)(p.NextPage(ctx)).Things {
				things = append(things, *thing.ThingName)
			}
		}
		for p := iot.NewListPoliciesPaginator(c, &iot.ListPoliciesInput{PageSize: &size, AscendingOrder: true}); p.HasMorePages(); pages++ {
			for _, policy := range must[*iot.ListPoliciesOutput](t)(p.NextPage(ctx)).Policies {
				if strings.HasPrefix(*policy.PolicyName, prefix) {
					policies = append(policies, *policy.PolicyName)
				}
			}
		}
		slices.Sort(policies)
		if !slices.IsSorted(things) || !slices.Equal(things, policies) || len(slices.Compact(slices.Clone(things))) != many || pages < 2*many/int(size) {
			t.Errorf("pages of %d: %d things and %d policies in %d pages", size, len(things), len(policies), pages)
		}
	}
}

// Publish of the data plane, signed by the SDK's own signer: its package for the data plane is not to be had from the
// module proxy that builds use.
func TestPublishSignedByTheGoSDK(t *testing.T) {
	t.Parallel()
	topic := unique("signed") + "/a b"
	reader := open5(t, everything, clean(unique("reader")))
	reader.mustSubscribe(topic)
	keys := must[aws.Credentials](t)(must[aws.CredentialsProviderFunc](t)(theServer.keys())(t.Context()))
	publish := func() int {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		uri := "https://" + theServer.api + "/topics/" + strings.ReplaceAll(strings.ReplaceAll(topic, "/", "%2F"), " ", "%20") + "?qos=1"
		r := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader("from the SDK")))
		hash := sha256.Sum256([]byte("from the SDK"))
		if err := v4.NewSigner().SignHTTP(ctx, keys, r, hex.EncodeToString(hash[:]), "iotdata", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		answer := must[*http.Response](t)(httpsClient(t).Do(r))
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if status := publish(); status != http.StatusOK {
		t.Errorf("signed: %d", status)
	}
	if got := reader.next(); string(got.Payload) != "from the SDK" || got.QoS != 1 {
		t.Errorf("received %q at QoS %d", got.Payload, got.QoS)
	}
	keys.SecretAccessKey += "x"
	if status := publish(); status != http.StatusUnauthorized {
		t.Errorf("signed with another secret: %d", status)
	}
}
