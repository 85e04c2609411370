package control

// operations is the table: what Thingwire implements of AWS IoT's control plane. Members are those of the AWS IoT API
// reference; where one is not implemented, the function refuses it.
func operations() []operation {
	return []operation{
		{"DescribeEndpoint", "GET", "/endpoint", "*", describeEndpoint},

		{"CreateThing", "POST", "/things/{thingName}", "thing/{thingName}", createThing},
		{"DescribeThing", "GET", "/things/{thingName}", "thing/{thingName}", describeThing},
		{"UpdateThing", "PATCH", "/things/{thingName}", "thing/{thingName}", updateThing},
		{"DeleteThing", "DELETE", "/things/{thingName}", "thing/{thingName}", deleteThing},
		{"ListThings", "GET", "/things", "*", listThings},

		{"AttachThingPrincipal", "PUT", "/things/{thingName}/principals", "thing/{thingName}", attachThingPrincipal},
		{"DetachThingPrincipal", "DELETE", "/things/{thingName}/principals", "thing/{thingName}", detachThingPrincipal},
		{"ListThingPrincipals", "GET", "/things/{thingName}/principals", "thing/{thingName}", listThingPrincipals},
		{"ListPrincipalThings", "GET", "/principals/things", "*", listPrincipalThings},

		{"CreateKeysAndCertificate", "POST", "/keys-and-certificate", "*", createKeysAndCertificate},
		{"CreateCertificateFromCsr", "POST", "/certificates", "*", createCertificateFromCsr},
		{"RegisterCertificateWithoutCA", "POST", "/certificate/register-no-ca", "*", registerCertificateWithoutCA},
		{"DescribeCertificate", "GET", "/certificates/{certificateId}", "cert/{certificateId}", describeCertificate},
		{"UpdateCertificate", "PUT", "/certificates/{certificateId}", "cert/{certificateId}", updateCertificate},
		{"DeleteCertificate", "DELETE", "/certificates/{certificateId}", "cert/{certificateId}", deleteCertificate},
		{"ListCertificates", "GET", "/certificates", "*", listCertificates},

		{"CreatePolicy", "POST", "/policies/{policyName}", "policy/{policyName}", createPolicy},
		{"GetPolicy", "GET", "/policies/{policyName}", "policy/{policyName}", getPolicy},
		{"DeletePolicy", "DELETE", "/policies/{policyName}", "policy/{policyName}", deletePolicy},
		{"ListPolicies", "GET", "/policies", "*", listPolicies},
		{"CreatePolicyVersion", "POST", "/policies/{policyName}/version", "policy/{policyName}", createPolicyVersion},
		{"GetPolicyVersion", "GET", "/policies/{policyName}/version/{policyVersionId}", "policy/{policyName}", getPolicyVersion},
		{"DeletePolicyVersion", "DELETE", "/policies/{policyName}/version/{policyVersionId}", "policy/{policyName}", deletePolicyVersion},
		{"SetDefaultPolicyVersion", "PATCH", "/policies/{policyName}/version/{policyVersionId}", "policy/{policyName}", setDefaultPolicyVersion},
		{"ListPolicyVersions", "GET", "/policies/{policyName}/version", "policy/{policyName}", listPolicyVersions},

		{"AttachPolicy", "PUT", "/target-policies/{policyName}", "policy/{policyName}", attachPolicy},
		{"DetachPolicy", "POST", "/target-policies/{policyName}", "policy/{policyName}", detachPolicy},
		{"ListAttachedPolicies", "POST", "/attached-policies/{target}", "*", listAttachedPolicies},
		{"ListTargetsForPolicy", "POST", "/policy-targets/{policyName}", "policy/{policyName}", listTargetsForPolicy},
	}
}
