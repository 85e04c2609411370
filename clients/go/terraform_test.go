package foreign

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// What Terraform's AWS provider calls for its resources, in its order: create, read back (which is also what an import
// does), tags, change, read, delete, and read what is gone. An old provider runs in clients/terraform; these are the calls of
// today's internal/service/iot, and the words of refusals on which it tries again.

func tags(of map[string]string) (list []types.Tag) {
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(of[key])})
	}
	return list
}

// wantTags reads the tags of a resource as every refresh does.
func wantTags(t *testing.T, c *iot.Client, resource *string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for p := iot.NewListTagsForResourcePaginator(c, &iot.ListTagsForResourceInput{ResourceArn: resource}); p.HasMorePages(); {
		for _, tag := range must[*iot.ListTagsForResourceOutput](t)(p.NextPage(t.Context())).Tags {
			got[*tag.Key] = *tag.Value
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s has the tags %v, want %v", *resource, got, want)
	}
}

// retag does as the provider's UpdateTags: what is gone is removed first, then what is new or changed is set.
func retag(t *testing.T, c *iot.Client, resource *string, remove []string, set map[string]string) {
	t.Helper()
	must[*iot.UntagResourceOutput](t)(c.UntagResource(t.Context(), &iot.UntagResourceInput{ResourceArn: resource, TagKeys: remove}))
	must[*iot.TagResourceOutput](t)(c.TagResource(t.Context(), &iot.TagResourceInput{ResourceArn: resource, Tags: tags(set)}))
}

func TestTerraformThingType(t *testing.T) {
	t.Parallel()
	c, ctx, name := newIoT(t), t.Context(), unique("tf-type")
	must[*iot.CreateThingTypeOutput](t)(c.CreateThingType(ctx, &iot.CreateThingTypeInput{
		ThingTypeName: &name, Tags: tags(map[string]string{"a": "1", "b": "2"}),
		ThingTypeProperties: &types.ThingTypeProperties{ThingTypeDescription: aws.String("d"), SearchableAttributes: []string{"x"}},
	}))
	describe := func() *iot.DescribeThingTypeOutput {
		return must[*iot.DescribeThingTypeOutput](t)(c.DescribeThingType(ctx, &iot.DescribeThingTypeInput{ThingTypeName: &name}))
	}
	read := describe()
	if *read.ThingTypeArn != arn+"thingtype/"+name || read.ThingTypeMetadata.Deprecated || !slices.Equal(read.ThingTypeProperties.SearchableAttributes, []string{"x"}) {
		t.Errorf("read back %+v", read)
	}
	wantTags(t, c, read.ThingTypeArn, map[string]string{"a": "1", "b": "2"})
	retag(t, c, read.ThingTypeArn, []string{"a"}, map[string]string{"b": "3", "c": "4"})
	wantTags(t, c, read.ThingTypeArn, map[string]string{"b": "3", "c": "4"})
	for _, undo := range []bool{false, true, false} {
		must[*iot.DeprecateThingTypeOutput](t)(c.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: &name, UndoDeprecate: undo}))
		if meta := describe().ThingTypeMetadata; meta.Deprecated == undo {
			t.Errorf("deprecated: %+v", meta)
		}
	}
	// Deleting begins with deprecating once more, and goes on for six minutes as long as the refusal has these words.
	must[*iot.DeprecateThingTypeOutput](t)(c.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: &name}))
	_, err := c.DeleteThingType(ctx, &iot.DeleteThingTypeInput{ThingTypeName: &name})
	if e := wantError[*types.InvalidRequestException](t, err); !strings.Contains(*e.Message, "Please wait for 5 minutes after deprecation and then retry") {
		t.Errorf("refused with %q", *e.Message)
	}
}

func TestTerraformThing(t *testing.T) {
	t.Parallel()
	c, ctx, name, kind := newIoT(t), t.Context(), unique("tf-thing"), unique("tf-kind")
	must[*iot.CreateThingTypeOutput](t)(c.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &kind}))
	must[*iot.CreateThingOutput](t)(c.CreateThing(ctx, &iot.CreateThingInput{
		ThingName: &name, ThingTypeName: &kind, AttributePayload: attributes(map[string]string{"One": "1", "Two": "2"}),
	}))
	want := func(version int64, kind string, attributes map[string]string) {
		t.Helper()
		read := must[*iot.DescribeThingOutput](t)(c.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &name}))
		if *read.ThingArn != arn+"thing/"+name || *read.DefaultClientId != name || *read.ThingName != name || read.Version != version ||
			aws.ToString(read.ThingTypeName) != kind || !maps.Equal(read.Attributes, attributes) {
			t.Errorf("read %+v, want version %d, type %q, attributes %v", read, version, kind, attributes)
		}
	}
	want(1, kind, map[string]string{"One": "1", "Two": "2"})
	must[*iot.UpdateThingOutput](t)(c.UpdateThing(ctx, &iot.UpdateThingInput{ThingName: &name, AttributePayload: attributes(map[string]string{"One": "11"})}))
	want(2, kind, map[string]string{"One": "11"})
	must[*iot.UpdateThingOutput](t)(c.UpdateThing(ctx, &iot.UpdateThingInput{ThingName: &name, RemoveThingType: true, AttributePayload: attributes(map[string]string{})}))
	want(3, "", map[string]string{})
	must[*iot.DeleteThingOutput](t)(c.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &name}))
	_, err := c.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &name})
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestTerraformThingGroup(t *testing.T) {
	t.Parallel()
	c, ctx, parent, child, thing := newIoT(t), t.Context(), unique("tf-parent"), unique("tf-child"), unique("tf-member")
	must[*iot.CreateThingGroupOutput](t)(c.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: &parent}))
	must[*iot.CreateThingGroupOutput](t)(c.CreateThingGroup(ctx, &iot.CreateThingGroupInput{
		ThingGroupName: &child, ParentGroupName: &parent, Tags: tags(map[string]string{"a": "1"}),
		ThingGroupProperties: &types.ThingGroupProperties{AttributePayload: attributes(map[string]string{"One": "1"})},
	}))
	describe := func() *iot.DescribeThingGroupOutput {
		return must[*iot.DescribeThingGroupOutput](t)(c.DescribeThingGroup(ctx, &iot.DescribeThingGroupInput{ThingGroupName: &child}))
	}
	read := describe()
	if meta := read.ThingGroupMetadata; *meta.ParentGroupName != parent || *meta.RootToParentThingGroups[0].GroupArn != arn+"thinggroup/"+parent || read.Version != 1 {
		t.Errorf("read back %+v", meta)
	}
	wantTags(t, c, read.ThingGroupArn, map[string]string{"a": "1"})
	// Properties that are taken out of the configuration are sent as an empty set of attributes.
	must[*iot.UpdateThingGroupOutput](t)(c.UpdateThingGroup(ctx, &iot.UpdateThingGroupInput{
		ThingGroupName: &child, ExpectedVersion: &read.Version,
		ThingGroupProperties: &types.ThingGroupProperties{AttributePayload: attributes(map[string]string{})},
	}))
	if read = describe(); read.Version != 2 || len(read.ThingGroupProperties.AttributePayload.Attributes) != 0 {
		t.Errorf("changed: %+v", read)
	}

	must[*iot.CreateThingOutput](t)(c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &thing}))
	must[*iot.AddThingToThingGroupOutput](t)(c.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingName: &thing, ThingGroupName: &child}))
	member := func() bool {
		for p := iot.NewListThingGroupsForThingPaginator(c, &iot.ListThingGroupsForThingInput{ThingName: &thing}); p.HasMorePages(); {
			for _, g := range must[*iot.ListThingGroupsForThingOutput](t)(p.NextPage(ctx)).ThingGroups {
				if *g.GroupName == child {
					return true
				}
			}
		}
		return false
	}
	if !member() {
		t.Error("not a member")
	}
	must[*iot.RemoveThingFromThingGroupOutput](t)(c.RemoveThingFromThingGroup(ctx, &iot.RemoveThingFromThingGroupInput{ThingName: &thing, ThingGroupName: &child}))
	if member() {
		t.Error("still a member")
	}
	// While its children go, the parent's deletion is tried again for a minute if the refusal has these words.
	_, err := c.DeleteThingGroup(ctx, &iot.DeleteThingGroupInput{ThingGroupName: &parent})
	if e := wantError[*types.InvalidRequestException](t, err); !strings.Contains(*e.Message, "there are still child groups attached") {
		t.Errorf("refused with %q", *e.Message)
	}
	for _, g := range []string{child, parent} {
		must[*iot.DeleteThingGroupOutput](t)(c.DeleteThingGroup(ctx, &iot.DeleteThingGroupInput{ThingGroupName: &g}))
		_, err := c.DescribeThingGroup(ctx, &iot.DescribeThingGroupInput{ThingGroupName: &g})
		wantError[*types.ResourceNotFoundException](t, err)
	}
}

func TestTerraformPolicy(t *testing.T) {
	t.Parallel()
	c, ctx, name := newIoT(t), t.Context(), unique("tf-policy")
	made := must[*iot.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iot.CreatePolicyInput{
		PolicyName: &name, PolicyDocument: aws.String(everythingAllowed), Tags: tags(map[string]string{"a": "1"}),
	}))
	want := func(version, document string) {
		t.Helper()
		read := must[*iot.GetPolicyOutput](t)(c.GetPolicy(ctx, &iot.GetPolicyInput{PolicyName: &name}))
		if *read.PolicyArn != arn+"policy/"+name || *read.PolicyName != name || *read.DefaultVersionId != version || *read.PolicyDocument != document {
			t.Errorf("read version %s: %s", *read.DefaultVersionId, *read.PolicyDocument)
		}
	}
	versions := func() []types.PolicyVersion {
		return must[*iot.ListPolicyVersionsOutput](t)(c.ListPolicyVersions(ctx, &iot.ListPolicyVersionsInput{PolicyName: &name})).PolicyVersions
	}
	remove := func(id string) {
		t.Helper()
		must[*iot.DeletePolicyVersionOutput](t)(c.DeletePolicyVersion(ctx, &iot.DeletePolicyVersionInput{PolicyName: &name, PolicyVersionId: &id}))
	}
	want("1", everythingAllowed)
	wantTags(t, c, made.PolicyArn, map[string]string{"a": "1"})
	// Each change is a new default version; when there are too many, the lowest one goes and the change comes again.
	for n := 2; n <= 7; n++ {
		document := strings.Replace(everythingAllowed, "iot:*", "iot:"+strings.Repeat("A", n), 1)
		add := &iot.CreatePolicyVersionInput{PolicyName: &name, PolicyDocument: &document, SetAsDefault: true}
		_, err := c.CreatePolicyVersion(ctx, add)
		if n > 5 {
			wantError[*types.VersionsLimitExceededException](t, err)
			lowest := versions()[4]
			if lowest.IsDefaultVersion {
				t.Fatal("the lowest version is the default")
			}
			remove(*lowest.VersionId)
			_, err = c.CreatePolicyVersion(ctx, add)
		}
		if err != nil {
			t.Fatal(err)
		}
		want(string(rune('0'+n)), document)
	}
	for _, v := range versions() {
		if !v.IsDefaultVersion {
			remove(*v.VersionId)
		}
	}
	must[*iot.DeletePolicyOutput](t)(c.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: &name}))
	_, err := c.GetPolicy(ctx, &iot.GetPolicyInput{PolicyName: &name})
	wantError[*types.ResourceNotFoundException](t, err)
	_, err = c.ListPolicyVersions(ctx, &iot.ListPolicyVersionsInput{PolicyName: &name})
	wantError[*types.ResourceNotFoundException](t, err)
}

// The four ways in which aws_iot_certificate comes to be, each with its life.
func TestTerraformCertificate(t *testing.T) {
	t.Parallel()
	c, ctx := newIoT(t), t.Context()
	factory := newAuthority(t, unique("tf-factory"))
	must[*iot.RegisterCACertificateOutput](t)(c.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{
		CaCertificate: &factory.pem, CertificateMode: types.CertificateModeSniOnly, SetAsActive: true,
	}))
	for how, create := range map[string]func() *string{
		"csr": func() *string {
			return must[*iot.CreateCertificateFromCsrOutput](t)(c.CreateCertificateFromCsr(ctx, &iot.CreateCertificateFromCsrInput{
				CertificateSigningRequest: aws.String(signingRequest(t, newKey(t))), SetAsActive: true,
			})).CertificateId
		},
		"certificate_pem and ca_pem": func() *string {
			return must[*iot.RegisterCertificateOutput](t)(c.RegisterCertificate(ctx, &iot.RegisterCertificateInput{
				CertificatePem: aws.String(factory.issue(t, "lamp")), CaCertificatePem: &factory.pem, Status: types.CertificateStatusActive,
			})).CertificateId
		},
		"certificate_pem": func() *string {
			return must[*iot.RegisterCertificateWithoutCAOutput](t)(c.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{
				CertificatePem: aws.String(selfSigned(t)), Status: types.CertificateStatusActive,
			})).CertificateId
		},
		"keys": func() *string {
			made := must[*iot.CreateKeysAndCertificateOutput](t)(c.CreateKeysAndCertificate(ctx, &iot.CreateKeysAndCertificateInput{SetAsActive: true}))
			if !strings.HasPrefix(*made.KeyPair.PrivateKey, "-----BEGIN RSA PRIVATE KEY") || !strings.HasPrefix(*made.KeyPair.PublicKey, "-----BEGIN PUBLIC KEY") {
				t.Error("key pair")
			}
			return made.CertificateId
		},
	} {
		id := create()
		status := func(want types.CertificateStatus) {
			t.Helper()
			read := must[*iot.DescribeCertificateOutput](t)(c.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: id})).CertificateDescription
			if read.Status != want || *read.CertificateArn != arn+"cert/"+*id || *read.CertificatePem == "" || (read.CaCertificateId != nil) != (how == "certificate_pem and ca_pem") {
				t.Errorf("%s: %s, CA %v", how, read.Status, read.CaCertificateId)
			}
		}
		set := func(to types.CertificateStatus) {
			t.Helper()
			must[*iot.UpdateCertificateOutput](t)(c.UpdateCertificate(ctx, &iot.UpdateCertificateInput{CertificateId: id, NewStatus: to}))
			status(to)
		}
		status(types.CertificateStatusActive)
		set(types.CertificateStatusInactive)
		set(types.CertificateStatusActive)
		set(types.CertificateStatusInactive)
		must[*iot.DeleteCertificateOutput](t)(c.DeleteCertificate(ctx, &iot.DeleteCertificateInput{CertificateId: id}))
		_, err := c.DescribeCertificate(ctx, &iot.DescribeCertificateInput{CertificateId: id})
		wantError[*types.ResourceNotFoundException](t, err)
	}
}

func TestTerraformAttachments(t *testing.T) {
	t.Parallel()
	c, ctx, name := newIoT(t), t.Context(), unique("tf-attached")
	must[*iot.CreateThingOutput](t)(c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name}))
	must[*iot.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(everythingAllowed)}))
	target := must[*iot.CreateCertificateFromCsrOutput](t)(c.CreateCertificateFromCsr(ctx, &iot.CreateCertificateFromCsrInput{
		CertificateSigningRequest: aws.String(signingRequest(t, newKey(t))), SetAsActive: true,
	})).CertificateArn

	attached := func() (policies []string) {
		for p := iot.NewListAttachedPoliciesPaginator(c, &iot.ListAttachedPoliciesInput{Target: target, PageSize: aws.Int32(250)}); p.HasMorePages(); {
			for _, policy := range must[*iot.ListAttachedPoliciesOutput](t)(p.NextPage(ctx)).Policies {
				policies = append(policies, *policy.PolicyName)
			}
		}
		return policies
	}
	must[*iot.AttachPolicyOutput](t)(c.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &name, Target: target}))
	if got := attached(); !slices.Equal(got, []string{name}) {
		t.Errorf("attached: %v", got)
	}
	for _, kind := range []types.ThingPrincipalType{"", types.ThingPrincipalTypeExclusiveThing} {
		must[*iot.AttachThingPrincipalOutput](t)(c.AttachThingPrincipal(ctx, &iot.AttachThingPrincipalInput{
			ThingName: &name, Principal: target, ThingPrincipalType: kind,
		}))
		principals := must[*iot.ListThingPrincipalsV2Output](t)(iot.NewListThingPrincipalsV2Paginator(c, &iot.ListThingPrincipalsV2Input{ThingName: &name}).NextPage(ctx))
		want := types.ThingPrincipalTypeNonExclusiveThing
		if kind != "" {
			want = kind
		}
		if got := principals.ThingPrincipalObjects; len(got) != 1 || *got[0].Principal != *target || got[0].ThingPrincipalType != want {
			t.Errorf("principals: %+v", got)
		}
		must[*iot.DetachThingPrincipalOutput](t)(c.DetachThingPrincipal(ctx, &iot.DetachThingPrincipalInput{ThingName: &name, Principal: target}))
	}
	must[*iot.DetachPolicyOutput](t)(c.DetachPolicy(ctx, &iot.DetachPolicyInput{PolicyName: &name, Target: target}))
	if got := attached(); len(got) != 0 {
		t.Errorf("still attached: %v", got)
	}
	gone := arn + "cert/" + strings.Repeat("0", 64)
	_, err := c.ListAttachedPolicies(ctx, &iot.ListAttachedPoliciesInput{Target: &gone})
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestTerraformCACertificateAndBillingGroup(t *testing.T) {
	t.Parallel()
	c, ctx, name := newIoT(t), t.Context(), unique("tf-ca")
	factory := newAuthority(t, name)
	code := must[*iot.GetRegistrationCodeOutput](t)(c.GetRegistrationCode(ctx, &iot.GetRegistrationCodeInput{})).RegistrationCode
	id := must[*iot.RegisterCACertificateOutput](t)(c.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{
		CaCertificate: &factory.pem, VerificationCertificate: aws.String(factory.issue(t, *code)), CertificateMode: types.CertificateModeDefault,
		SetAsActive: true, AllowAutoRegistration: true, Tags: tags(map[string]string{"a": "1"}),
	})).CertificateId
	describe := func() *types.CACertificateDescription {
		return must[*iot.DescribeCACertificateOutput](t)(c.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: id})).CertificateDescription
	}
	read := describe()
	if read.Status != types.CACertificateStatusActive || read.AutoRegistrationStatus != types.AutoRegistrationStatusEnable || *read.CertificatePem != factory.pem ||
		*read.CustomerVersion != 1 || *read.GenerationId == "" || time.Until(*read.Validity.NotAfter) < time.Minute || read.CertificateMode != types.CertificateModeDefault {
		t.Errorf("read back %+v", read)
	}
	wantTags(t, c, read.CertificateArn, map[string]string{"a": "1"})
	must[*iot.UpdateCACertificateOutput](t)(c.UpdateCACertificate(ctx, &iot.UpdateCACertificateInput{
		CertificateId: id, NewStatus: types.CACertificateStatusInactive, NewAutoRegistrationStatus: types.AutoRegistrationStatusDisable,
	}))
	if read = describe(); read.Status != types.CACertificateStatusInactive || read.AutoRegistrationStatus != types.AutoRegistrationStatusDisable {
		t.Errorf("changed %+v", read)
	}
	must[*iot.DeleteCACertificateOutput](t)(c.DeleteCACertificate(ctx, &iot.DeleteCACertificateInput{CertificateId: id}))
	_, err := c.DescribeCACertificate(ctx, &iot.DescribeCACertificateInput{CertificateId: id})
	wantError[*types.ResourceNotFoundException](t, err)

	billing := unique("tf-billing")
	made := must[*iot.CreateBillingGroupOutput](t)(c.CreateBillingGroup(ctx, &iot.CreateBillingGroupInput{
		BillingGroupName: &billing, BillingGroupProperties: &types.BillingGroupProperties{BillingGroupDescription: aws.String("d")}, Tags: tags(map[string]string{"a": "1"}),
	}))
	wantTags(t, c, made.BillingGroupArn, map[string]string{"a": "1"})
	must[*iot.UpdateBillingGroupOutput](t)(c.UpdateBillingGroup(ctx, &iot.UpdateBillingGroupInput{
		BillingGroupName: &billing, ExpectedVersion: aws.Int64(1), BillingGroupProperties: &types.BillingGroupProperties{BillingGroupDescription: aws.String("e")},
	}))
	group := must[*iot.DescribeBillingGroupOutput](t)(c.DescribeBillingGroup(ctx, &iot.DescribeBillingGroupInput{BillingGroupName: &billing}))
	if group.Version != 2 || *group.BillingGroupProperties.BillingGroupDescription != "e" || *group.BillingGroupArn != *made.BillingGroupArn {
		t.Errorf("changed %+v", group)
	}
	must[*iot.DeleteBillingGroupOutput](t)(c.DeleteBillingGroup(ctx, &iot.DeleteBillingGroupInput{BillingGroupName: &billing}))
	_, err = c.DescribeBillingGroup(ctx, &iot.DescribeBillingGroupInput{BillingGroupName: &billing})
	wantError[*types.ResourceNotFoundException](t, err)
}
