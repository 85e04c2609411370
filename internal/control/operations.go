package control

import "slices"

// operations is the table: what Thingwire implements of AWS IoT's control plane. Members are those of the AWS IoT API
// reference; where one is not implemented, the function refuses it.
func operations() []operation { return slices.Concat(thingOperations(), principalOperations()) }

// thingOperations are about things and the sets that they are in.
func thingOperations() []operation {
	return []operation{
		{"DescribeEndpoint", "GET", "/endpoint", "*", describeEndpoint},

		{"CreateThing", "POST", "/things/{thingName}", resourcesOfNewThing, createThing},
		{"DescribeThing", "GET", "/things/{thingName}", "thing/{thingName}", describeThing},
		{"UpdateThing", "PATCH", "/things/{thingName}", "thing/{thingName}", updateThing},
		{"DeleteThing", "DELETE", "/things/{thingName}", "thing/{thingName}", deleteThing},
		{"ListThings", "GET", "/things", "*", listThings},
		{"GetThingConnectivityData", "POST", "/things/{thingName}/connectivity-data", "thing/{thingName}", getThingConnectivityData},

		{"CreateThingType", "POST", "/thing-types/{thingTypeName}", "thingtype/{thingTypeName}", createThingType},
		{"DescribeThingType", "GET", "/thing-types/{thingTypeName}", "thingtype/{thingTypeName}", describeThingType},
		{"UpdateThingType", "PATCH", "/thing-types/{thingTypeName}", "thingtype/{thingTypeName}", updateThingType},
		{"DeprecateThingType", "POST", "/thing-types/{thingTypeName}/deprecate", "thingtype/{thingTypeName}", deprecateThingType},
		{"DeleteThingType", "DELETE", "/thing-types/{thingTypeName}", "thingtype/{thingTypeName}", deleteThingType},
		{"ListThingTypes", "GET", "/thing-types", "*", listThingTypes},

		{"CreateThingGroup", "POST", "/thing-groups/{thingGroupName}", "thinggroup/{thingGroupName}", createThingGroup},
		{"DescribeThingGroup", "GET", "/thing-groups/{thingGroupName}", "thinggroup/{thingGroupName}", describeThingGroup},
		{"UpdateThingGroup", "PATCH", "/thing-groups/{thingGroupName}", "thinggroup/{thingGroupName}", updateThingGroup},
		{"DeleteThingGroup", "DELETE", "/thing-groups/{thingGroupName}", "thinggroup/{thingGroupName}", deleteThingGroup},
		{"ListThingGroups", "GET", "/thing-groups", "*", listThingGroups},
		{"AddThingToThingGroup", "PUT", "/thing-groups/addThingToThingGroup", resourcesOfMember, addThingToThingGroup},
		{"RemoveThingFromThingGroup", "PUT", "/thing-groups/removeThingFromThingGroup", resourcesOfMember, removeThingFromThingGroup},
		{"UpdateThingGroupsForThing", "PUT", "/thing-groups/updateThingGroupsForThing", resourcesOfRegrouped, updateThingGroupsForThing},
		{"ListThingGroupsForThing", "GET", "/things/{thingName}/thing-groups", "thing/{thingName}", listThingGroupsForThing},
		{"ListThingsInThingGroup", "GET", "/thing-groups/{thingGroupName}/things", "thinggroup/{thingGroupName}", listThingsInThingGroup},

		{"CreateBillingGroup", "POST", "/billing-groups/{billingGroupName}", "billinggroup/{billingGroupName}", createBillingGroup},
		{"DescribeBillingGroup", "GET", "/billing-groups/{billingGroupName}", "billinggroup/{billingGroupName}", describeBillingGroup},
		{"UpdateBillingGroup", "PATCH", "/billing-groups/{billingGroupName}", "billinggroup/{billingGroupName}", updateBillingGroup},
		{"DeleteBillingGroup", "DELETE", "/billing-groups/{billingGroupName}", "billinggroup/{billingGroupName}", deleteBillingGroup},
		{"ListBillingGroups", "GET", "/billing-groups", "*", listBillingGroups},
		{"AddThingToBillingGroup", "PUT", "/billing-groups/addThingToBillingGroup", resourcesOfBilled, addThingToBillingGroup},
		{"RemoveThingFromBillingGroup", "PUT", "/billing-groups/removeThingFromBillingGroup", resourcesOfBilled, removeThingFromBillingGroup},
		{"ListThingsInBillingGroup", "GET", "/billing-groups/{billingGroupName}/things", "billinggroup/{billingGroupName}", listThingsInBillingGroup},

		{"AttachThingPrincipal", "PUT", "/things/{thingName}/principals", resourceOfPrincipal, attachThingPrincipal},
		{"DetachThingPrincipal", "DELETE", "/things/{thingName}/principals", resourceOfPrincipal, detachThingPrincipal},
		{"ListThingPrincipals", "GET", "/things/{thingName}/principals", "thing/{thingName}", listThingPrincipals},
		{"ListPrincipalThings", "GET", "/principals/things", resourceOfPrincipal, listPrincipalThings},
		{"ListThingPrincipalsV2", "GET", "/things/{thingName}/principals-v2", "thing/{thingName}", listThingPrincipalsV2},
		{"ListPrincipalThingsV2", "GET", "/principals/things-v2", resourceOfPrincipal, listPrincipalThingsV2},
	}
}

// principalOperations are about who devices are and what they may do, and about all resources alike.
func principalOperations() []operation {
	return []operation{
		{"CreateKeysAndCertificate", "POST", "/keys-and-certificate", "*", createKeysAndCertificate},
		{"CreateCertificateFromCsr", "POST", "/certificates", "*", createCertificateFromCsr},
		{"RegisterCertificate", "POST", "/certificate/register", "*", registerCertificate},
		{"RegisterCertificateWithoutCA", "POST", "/certificate/register-no-ca", "*", registerCertificateWithoutCA},
		{"DescribeCertificate", "GET", "/certificates/{certificateId}", "cert/{certificateId}", describeCertificate},
		{"UpdateCertificate", "PUT", "/certificates/{certificateId}", "cert/{certificateId}", updateCertificate},
		{"DeleteCertificate", "DELETE", "/certificates/{certificateId}", "cert/{certificateId}", deleteCertificate},
		{"ListCertificates", "GET", "/certificates", "*", listCertificates},
		{"ListOutgoingCertificates", "GET", "/certificates-out-going", "*", listOutgoingCertificates},
		{"ListCertificatesByCA", "GET", "/certificates-by-ca/{caCertificateId}", "*", listCertificatesByCA},

		{"GetRegistrationCode", "GET", "/registrationcode", "*", getRegistrationCode},
		{"DeleteRegistrationCode", "DELETE", "/registrationcode", "*", deleteRegistrationCode},
		{"RegisterCACertificate", "POST", "/cacertificate", "*", registerCACertificate},
		{"DescribeCACertificate", "GET", "/cacertificate/{caCertificateId}", "cacert/{caCertificateId}", describeCACertificate},
		{"UpdateCACertificate", "PUT", "/cacertificate/{caCertificateId}", "cacert/{caCertificateId}", updateCACertificate},
		{"DeleteCACertificate", "DELETE", "/cacertificate/{caCertificateId}", "cacert/{caCertificateId}", deleteCACertificate},
		{"ListCACertificates", "GET", "/cacertificates", "*", listCACertificates},

		{"CreatePolicy", "POST", "/policies/{policyName}", "policy/{policyName}", createPolicy},
		{"GetPolicy", "GET", "/policies/{policyName}", "policy/{policyName}", getPolicy},
		{"DeletePolicy", "DELETE", "/policies/{policyName}", "policy/{policyName}", deletePolicy},
		{"ListPolicies", "GET", "/policies", "*", listPolicies},
		{"CreatePolicyVersion", "POST", "/policies/{policyName}/version", "policy/{policyName}", createPolicyVersion},
		{"GetPolicyVersion", "GET", "/policies/{policyName}/version/{policyVersionId}", "policy/{policyName}", getPolicyVersion},
		{"DeletePolicyVersion", "DELETE", "/policies/{policyName}/version/{policyVersionId}", "policy/{policyName}", deletePolicyVersion},
		{"SetDefaultPolicyVersion", "PATCH", "/policies/{policyName}/version/{policyVersionId}", "policy/{policyName}", setDefaultPolicyVersion},
		{"ListPolicyVersions", "GET", "/policies/{policyName}/version", "policy/{policyName}", listPolicyVersions},

		{"AttachPolicy", "PUT", "/target-policies/{policyName}", resourceOfTarget, attachPolicy},
		{"DetachPolicy", "POST", "/target-policies/{policyName}", resourceOfTarget, detachPolicy},
		{"ListAttachedPolicies", "POST", "/attached-policies/{target}", "*", listAttachedPolicies},
		{"ListTargetsForPolicy", "POST", "/policy-targets/{policyName}", "policy/{policyName}", listTargetsForPolicy},
		{"AttachPrincipalPolicy", "PUT", "/principal-policies/{policyName}", resourceOfHolder, attachPrincipalPolicy},
		{"DetachPrincipalPolicy", "DELETE", "/principal-policies/{policyName}", resourceOfHolder, detachPrincipalPolicy},
		{"ListPrincipalPolicies", "GET", "/principal-policies", "*", listPrincipalPolicies},
		{"ListPolicyPrincipals", "GET", "/policy-principals", "*", listPolicyPrincipals},

		{"DescribeEventConfigurations", "GET", "/event-configurations", "*", describeEventConfigurations},
		{"UpdateEventConfigurations", "PATCH", "/event-configurations", "*", updateEventConfigurations},

		{"SetV2LoggingOptions", "POST", "/v2LoggingOptions", "*", setV2LoggingOptions},
		{"GetV2LoggingOptions", "GET", "/v2LoggingOptions", "*", getV2LoggingOptions},
		{"SetV2LoggingLevel", "POST", "/v2LoggingLevel", "*", setV2LoggingLevel},
		{"ListV2LoggingLevels", "GET", "/v2LoggingLevel", "*", listV2LoggingLevels},
		{"DeleteV2LoggingLevel", "DELETE", "/v2LoggingLevel", "*", deleteV2LoggingLevel},
		{"SetLoggingOptions", "POST", "/loggingOptions", "*", setLoggingOptions},
		{"GetLoggingOptions", "GET", "/loggingOptions", "*", getLoggingOptions},

		{"TestAuthorization", "POST", "/test-authorization", resourceOfQuestion, testAuthorization},
		{"GetEffectivePolicies", "POST", "/effective-policies", resourceOfQuestion, getEffectivePolicies},

		{"ListTagsForResource", "GET", "/tags", resourceOfTags, listTagsForResource},
		{"TagResource", "POST", "/tags", resourceOfTags, tagResource},
		{"UntagResource", "POST", "/untag", resourceOfTags, untagResource},
	}
}
