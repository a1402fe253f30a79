/** A way to say whose token is wanted. But for the default, the environment has the identity under the same name. */
enum Selector {
    DEFAULT,
    CLIENT_ID,
    OBJECT_ID,
    RESOURCE_ID;

    String identity() {
        return System.getenv(name());
    }

    @Override
    public String toString() {
        return name().toLowerCase();
    }
}
