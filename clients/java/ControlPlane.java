import java.nio.file.Path;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.iot.IotClient;
import software.amazon.awssdk.services.iot.model.*;

/** AWS's SDK for Java v2 on the control plane: its client, its paginators, its exceptions. */
public final class ControlPlane {
    private static final String ARN = "arn:aws:iot:us-east-1:000000000000:";
    private static final String DOCUMENT =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iot:*\",\"Resource\":\"*\"}]}";

    /** One test; what it throws is its failure. */
    private interface Test {
        void run() throws Exception;
    }

    private final Server server;
    private final IotClient iot;
    private final Path folder;

    private ControlPlane(Server server, IotClient iot, Path folder) {
        this.server = server;
        this.iot = iot;
        this.folder = folder;
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        int failed = 0;
        Map<String, Test> tests;
        try (Server server = new Server(folder);
                SdkHttpClient http = Apache5HttpClient.builder().tlsTrustManagersProvider(() -> {
                    try {
                        return server.trust();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }).build();
                IotClient iot = client(server, http)) {
            tests = new ControlPlane(server, iot, folder).tests();
            for (Map.Entry<String, Test> test : tests.entrySet()) {
                try {
                    test.getValue().run();
                    System.out.println("ok " + test.getKey());
                } catch (Exception | AssertionError e) {
                    failed++;
                    System.out.println("FAILED " + test.getKey());
                    e.printStackTrace(System.out);
                }
            }
        }
        System.out.println((tests.size() - failed) + " passed, " + failed + " failed");
        System.exit(failed == 0 && !tests.isEmpty() ? 0 : 1);
    }

    /** A client that tries once, so that a test sees the first answer. */
    private static IotClient client(Server server, SdkHttpClient http) throws Exception {
        return IotClient.builder().httpClient(http).region(Region.US_EAST_1).endpointOverride(URI.create(server.url()))
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(
                        server.credential("aws_access_key_id"), server.credential("aws_secret_access_key"))))
                .overrideConfiguration(o -> o.retryStrategy(r -> r.maxAttempts(1)).apiCallTimeout(Duration.ofSeconds(20)))
                .build();
    }

    private Map<String, Test> tests() {
        Map<String, Test> all = new LinkedHashMap<>();
        all.put("the endpoint is a name", this::endpoint);
        all.put("the life of a thing, its type and its group", this::thing);
        all.put("a certificate of a CSR and its attachments in both directions", this::certificate);
        all.put("a policy and its versions", this::policy);
        all.put("the paginators of both families", this::pages);
        all.put("errors are classes of the SDK", this::errors);
        return all;
    }

    private void endpoint() {
        equal("localhost", iot.describeEndpoint(r -> r.endpointType("iot:Data-ATS")).endpointAddress());
    }

    private void thing() {
        iot.createThingType(r -> r.thingTypeName("bulb").thingTypeProperties(p -> p.searchableAttributes("room")));
        CreateThingResponse made = iot.createThing(r -> r.thingName("lamp").thingTypeName("bulb")
                .attributePayload(a -> a.attributes(Map.of("room", "kitchen"))));
        equal(ARN + "thing/lamp", made.thingArn());
        iot.updateThing(r -> r.thingName("lamp").expectedVersion(1L)
                .attributePayload(a -> a.attributes(Map.of("watt", "7")).merge(true)));
        DescribeThingResponse seen = iot.describeThing(r -> r.thingName("lamp"));
        equal(Map.of("room", "kitchen", "watt", "7"), seen.attributes());
        equal(2L, seen.version());
        iot.createThingGroup(r -> r.thingGroupName("house").tags(Tag.builder().key("team").value("light").build()));
        iot.addThingToThingGroup(r -> r.thingGroupName("house").thingArn(made.thingArn()));
        equal(List.of("lamp"), iot.listThingsInThingGroup(r -> r.thingGroupName("house")).things());
        equal("team", iot.listTagsForResource(r -> r.resourceArn(ARN + "thinggroup/house")).tags().get(0).key());
        Instant created = iot.describeThingGroup(r -> r.thingGroupName("house")).thingGroupMetadata().creationDate();
        check(Duration.between(created, Instant.now()).abs().toMinutes() < 1, "created at " + created);
        GetThingConnectivityDataResponse connected = iot.getThingConnectivityData(r -> r.thingName("lamp"));
        equal(false, connected.connected());
        iot.deleteThing(r -> r.thingName("lamp").expectedVersion(2L));
        thrown(ResourceNotFoundException.class, 404, () -> iot.describeThing(r -> r.thingName("lamp")));
    }

    private void certificate() throws Exception {
        String key = folder.resolve("door.key").toString();
        Server.run(List.of("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key));
        String csr = Server.run(List.of("openssl", "req", "-new", "-key", key, "-subj", "/CN=door"));
        CreateCertificateFromCsrResponse made = iot.createCertificateFromCsr(r -> r.certificateSigningRequest(csr).setAsActive(true));
        String arn = made.certificateArn();
        iot.createThing(r -> r.thingName("door"));
        iot.createPolicy(r -> r.policyName("door").policyDocument(DOCUMENT));
        iot.attachThingPrincipal(r -> r.thingName("door").principal(arn));
        iot.attachPolicy(r -> r.policyName("door").target(arn));
        equal(List.of(arn), iot.listThingPrincipals(r -> r.thingName("door")).principals());
        equal(List.of("door"), iot.listPrincipalThings(r -> r.principal(arn)).things());
        equal("door", iot.listAttachedPolicies(r -> r.target(arn)).policies().get(0).policyName());
        equal(List.of(arn), iot.listTargetsForPolicy(r -> r.policyName("door")).targets());
        AuthResult result = iot.testAuthorization(r -> r.principal(arn).authInfos(
                AuthInfo.builder().actionType(ActionType.CONNECT).resources(ARN + "client/door").build())).authResults().get(0);
        equal(AuthDecision.ALLOWED, result.authDecision());
        thrown(CertificateStateException.class, 406, () -> iot.deleteCertificate(r -> r.certificateId(made.certificateId())));
        iot.updateCertificate(r -> r.certificateId(made.certificateId()).newStatus(CertificateStatus.INACTIVE));
        CertificateDescription seen = iot.describeCertificate(r -> r.certificateId(made.certificateId())).certificateDescription();
        equal(CertificateStatus.INACTIVE, seen.status());
        equal(made.certificatePem(), seen.certificatePem());
        iot.detachThingPrincipal(r -> r.thingName("door").principal(arn));
        iot.detachPolicy(r -> r.policyName("door").target(arn));
        iot.deleteCertificate(r -> r.certificateId(made.certificateId()));
    }

    private void policy() {
        iot.createPolicy(r -> r.policyName("versions").policyDocument(DOCUMENT));
        for (int n = 2; n <= 5; n++) {
            equal(String.valueOf(n), iot.createPolicyVersion(r -> r.policyName("versions").policyDocument(DOCUMENT).setAsDefault(true)).policyVersionId());
        }
        thrown(VersionsLimitExceededException.class, 409, () -> iot.createPolicyVersion(r -> r.policyName("versions").policyDocument(DOCUMENT)));
        iot.setDefaultPolicyVersion(r -> r.policyName("versions").policyVersionId("1"));
        equal("1", iot.getPolicy(r -> r.policyName("versions")).defaultVersionId());
        thrown(DeleteConflictException.class, 409, () -> iot.deletePolicy(r -> r.policyName("versions")));
    }

    private void pages() {
        List<String> names = new ArrayList<>();
        for (int n = 0; n < 60; n++) {
            String name = String.format("many-%02d", n);
            names.add(name);
            iot.createThing(r -> r.thingName(name).attributePayload(a -> a.attributes(Map.of("many", "yes"))));
            iot.createPolicy(r -> r.policyName(name).policyDocument(DOCUMENT));
        }
        equal(names, iot.listThingsPaginator(r -> r.attributeName("many").attributeValue("yes").maxResults(7))
                .things().stream().map(ThingAttribute::thingName).toList());
        equal(names, iot.listPoliciesPaginator(r -> r.pageSize(7)).policies().stream().map(Policy::policyName)
                .filter(name -> name.startsWith("many-")).sorted().toList());
    }

    private void errors() throws Exception {
        String id = iot.createThing(r -> r.thingName("twice")).thingId();
        ResourceAlreadyExistsException exists = thrown(ResourceAlreadyExistsException.class, 409,
                () -> iot.createThing(r -> r.thingName("twice").attributePayload(a -> a.attributes(Map.of("a", "b")))));
        equal(id, exists.resourceId());
        equal(ARN + "thing/twice", exists.resourceArn());
        thrown(VersionConflictException.class, 409, () -> iot.deleteThing(r -> r.thingName("twice").expectedVersion(7L)));
        thrown(InvalidRequestException.class, 400, () -> iot.createThing(r -> r.thingName("a b")));
        thrown(MalformedPolicyException.class, 400, () -> iot.createPolicy(r -> r.policyName("bad").policyDocument("{")));
        thrown(CertificateValidationException.class, 400, () -> iot.registerCertificateWithoutCA(r -> r.certificatePem("hello")));
        thrown(NotConfiguredException.class, 404, () -> iot.getV2LoggingOptions(r -> { }));
        String pem = server.pem();
        iot.registerCertificateWithoutCA(r -> r.certificatePem(pem));
        thrown(ResourceAlreadyExistsException.class, 409, () -> iot.registerCertificateWithoutCA(r -> r.certificatePem(pem)));
        IotException absent = thrown(IotException.class, 501, () -> iot.listTopicRules(r -> { }));
        equal("NotImplementedException", absent.awsErrorDetails().errorCode());
    }

    /** Expects an exception of the SDK, with a message and a request id. */
    private static <E extends IotException> E thrown(Class<E> want, int status, Test call) {
        try {
            call.run();
        } catch (Exception e) {
            if (!want.isInstance(e)) {
                throw new AssertionError("not a " + want.getSimpleName(), e);
            }
            E got = want.cast(e);
            equal(status, got.statusCode());
            check(!got.awsErrorDetails().errorMessage().isEmpty(), "no message");
            check(got.requestId() != null && got.requestId().length() == 36, "request id " + got.requestId());
            return got;
        }
        throw new AssertionError("no " + want.getSimpleName());
    }

    private static void equal(Object want, Object got) {
        check(Objects.equals(want, got), "got " + got + ", want " + want);
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
