import com.azure.core.credential.TokenCredential;
import com.azure.core.util.BinaryData;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import com.azure.storage.blob.models.BlobErrorCode;
import com.azure.storage.blob.models.BlobStorageException;
import com.azure.storage.blob.models.BlockListType;
import com.azure.storage.blob.models.ListBlobsOptions;
import com.azure.storage.blob.models.ParallelTransferOptions;
import com.azure.storage.blob.options.BlobParallelUploadOptions;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** What an application does with blobs, by Azure's SDK for Java at its defaults. */
final class Storage {
    private final String url;
    private final TokenCredential credential = new DefaultAzureCredentialBuilder().build();

    Storage(String url) {
        this.url = url;
    }

    /** Tells whether all operations succeeded. */
    boolean use() {
        return Operation.useEach(this::useBlobs);
    }

    private void useBlobs() throws Exception {
        BlobContainerClient container = new BlobServiceClientBuilder()
                .endpoint(url)
                .credential(credential)
                .buildClient()
                .getBlobContainerClient("invoices");
        // One that is sent at once, and one that is sent in blocks.
        BlobClient small = container.getBlobClient("one");
        BlobClient big = container.getBlobClient("archive");
        BinaryData letter = BinaryData.fromString("hello");
        byte[] archive = new byte[9 << 20];
        new Random().nextBytes(archive);

        Operation.run(Sdk.BLOB, "container create", container::create);
        Operation.run(Sdk.BLOB, "blob upload", () -> small.upload(letter));
        Operation.run(Sdk.BLOB, "blob upload in blocks", () -> {
            // By default a blob is sent at once up to 256 MiB.
            ParallelTransferOptions blocks = new ParallelTransferOptions().setMaxSingleUploadSizeLong(4L << 20);
            big.uploadWithResponse(
                    new BlobParallelUploadOptions(BinaryData.fromBytes(archive)).setParallelTransferOptions(blocks), null, null);
        });
        Operation.run(Sdk.BLOB, "blob blocks", () -> {
            int count = big.getBlockBlobClient().listBlocks(BlockListType.COMMITTED).getCommittedBlocks().size();
            Operation.check(count > 1, "the blob has " + count + " blocks");
        });
        Operation.run(Sdk.BLOB, "blob download", () -> {
            check(small, letter.toBytes());
            check(big, archive);
        });
        Operation.run(Sdk.BLOB, "blob list", () -> {
            // A page for each blob, so that the list goes on.
            List<String> names = container.listBlobs(new ListBlobsOptions().setMaxResultsPerPage(1), null).stream()
                    .map(one -> one.getName())
                    .toList();
            Operation.check(names.equals(List.of(big.getBlobName(), small.getBlobName())), "the list has " + names);
        });
        Operation.run(Sdk.BLOB, "blob properties", () -> {
            long size = big.getProperties().getBlobSize();
            Operation.check(size == archive.length, "the blob has " + size + " bytes");
        });
        Operation.run(Sdk.BLOB, "blob delete", () -> {
            small.delete();
            try {
                small.downloadContent();
            } catch (BlobStorageException e) {
                Operation.check(BlobErrorCode.BLOB_NOT_FOUND.equals(e.getErrorCode()), "got " + e.getErrorCode());
                return;
            }
            throw new AssertionError("the deleted blob is there");
        });
        Operation.run(Sdk.BLOB, "container delete", container::delete);
    }

    private static void check(BlobClient blob, byte[] content) {
        Operation.check(
                Arrays.equals(blob.downloadContent().toBytes(), content), blob.getBlobName() + " has another content");
    }
}
