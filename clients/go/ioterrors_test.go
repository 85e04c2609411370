package foreign

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// Each error of the control plane as the SDK's own type, caught with errors.AsType.
func TestIoTTypedErrors(t *testing.T) {
	t.Parallel()
	c, ctx, name, none := newIoT(t), t.Context(), unique("errors"), unique("none")
	document, zeros := aws.String(everythingAllowed), aws.String(fmt.Sprintf("%064d", 0))
	must[*iot.CreateThingTypeOutput](t)(c.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &name}))
	thing := must[*iot.CreateThingOutput](t)(c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name, ThingTypeName: &name}))
	must[*iot.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: document}))
	foreign := selfSigned(t)
	active := must[*iot.RegisterCertificateWithoutCAOutput](t)(c.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{
		CertificatePem: &foreign, Status: types.CertificateStatusActive,
	}))
	must[*iot.AttachPolicyOutput](t)(c.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &name, Target: active.CertificateArn}))
	factories := []*authority{newAuthority(t, name), newAuthority(t, name)}
	for _, f := range factories {
		must[*iot.RegisterCACertificateOutput](t)(c.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{
			CaCertificate: &f.pem, CertificateMode: types.CertificateModeSniOnly, SetAsActive: true,
		}))
	}

	t.Run("ResourceNotFoundException", func(t *testing.T) {
		_, err := c.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &none})
		wantError[*types.ResourceNotFoundException](t, err)
	})
	t.Run("ResourceAlreadyExistsException", func(t *testing.T) {
		_, err := c.CreateThing(ctx, &iot.CreateThingInput{ThingName: &name})
		if e := wantError[*types.ResourceAlreadyExistsException](t, err); *e.ResourceId != *thing.ThingId || *e.ResourceArn != *thing.ThingArn {
			t.Errorf("of %s %s", *e.ResourceId, *e.ResourceArn)
		}
	})
	t.Run("VersionConflictException", func(t *testing.T) {
		_, err := c.UpdateThing(ctx, &iot.UpdateThingInput{ThingName: &name, ExpectedVersion: aws.Int64(7)})
		wantError[*types.VersionConflictException](t, err)
	})
	t.Run("InvalidRequestException", func(t *testing.T) {
		_, err := c.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a b")})
		wantError[*types.InvalidRequestException](t, err)
	})
	t.Run("MalformedPolicyException", func(t *testing.T) {
		_, err := c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &none, PolicyDocument: aws.String("{")})
		wantError[*types.MalformedPolicyException](t, err)
	})
	t.Run("DeleteConflictException", func(t *testing.T) {
		_, err := c.DeletePolicy(ctx, &iot.DeletePolicyInput{PolicyName: &name})
		wantError[*types.DeleteConflictException](t, err)
	})
	t.Run("CertificateStateException", func(t *testing.T) {
		_, err := c.DeleteCertificate(ctx, &iot.DeleteCertificateInput{CertificateId: active.CertificateId})
		wantError[*types.CertificateStateException](t, err)
	})
	t.Run("CertificateValidationException", func(t *testing.T) {
		_, err := c.RegisterCertificateWithoutCA(ctx, &iot.RegisterCertificateWithoutCAInput{CertificatePem: aws.String("hello")})
		wantError[*types.CertificateValidationException](t, err)
	})
	t.Run("CertificateConflictException", func(t *testing.T) {
		_, err := c.RegisterCertificate(ctx, &iot.RegisterCertificateInput{CertificatePem: aws.String(factories[0].issue(t, "lamp"))})
		wantError[*types.CertificateConflictException](t, err)
	})
	t.Run("RegistrationCodeValidationException", func(t *testing.T) {
		f := newAuthority(t, unique("factory"))
		_, err := c.RegisterCACertificate(ctx, &iot.RegisterCACertificateInput{
			CaCertificate: &f.pem, VerificationCertificate: aws.String(f.issue(t, "not the code")),
		})
		wantError[*types.RegistrationCodeValidationException](t, err)
	})
	t.Run("LimitExceededException", func(t *testing.T) {
		for i := range 10 {
			policy := fmt.Sprint(name, "-", i)
			must[*iot.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iot.CreatePolicyInput{PolicyName: &policy, PolicyDocument: document}))
			_, err := c.AttachPolicy(ctx, &iot.AttachPolicyInput{PolicyName: &policy, Target: active.CertificateArn})
			if i < 9 && err != nil {
				t.Fatal(err)
			}
			if i == 9 {
				wantError[*types.LimitExceededException](t, err)
			}
		}
	})
	t.Run("NotConfiguredException", func(t *testing.T) {
		_, err := c.GetV2LoggingOptions(ctx, &iot.GetV2LoggingOptionsInput{})
		wantError[*types.NotConfiguredException](t, err)
	})
	t.Run("UnrecognizedClientException", func(t *testing.T) {
		stranger := iot.New(c.Options(), func(o *iot.Options) {
			o.Credentials = aws.CredentialsProviderFunc(stranger)
		})
		_, err := stranger.ListThings(ctx, &iot.ListThingsInput{})
		wantCode(t, err, "UnrecognizedClientException")
	})
	t.Run("NotImplementedException", func(t *testing.T) {
		_, err := c.AcceptCertificateTransfer(ctx, &iot.AcceptCertificateTransferInput{CertificateId: zeros})
		wantCode(t, err, "NotImplementedException")
		if status, ok := statusOf(err); !ok || status != http.StatusNotImplemented {
			t.Errorf("status %d", status)
		}
	})
}
