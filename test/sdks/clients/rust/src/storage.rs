//! What an application does with blobs, by Azure's SDK for Rust at its defaults.

use azure_core::http::{RequestContent, StatusCode, Url};
use azure_identity::ManagedIdentityCredential;
use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders, BlobContainerClientListBlobsOptions, BlockListType,
};
use azure_storage_blob::{BlobClient, BlobContainerClient, BlobServiceClient};
use futures::TryStreamExt;

use crate::operation::{Outcome, all_succeeded, check, operate};

const SDK: &str = "azure_storage_blob";

/// Uses the account at a URL, and tells whether all operations succeeded.
pub async fn use_storage(url: &str) -> bool {
    all_succeeded(&[use_blobs(url).await])
}

async fn use_blobs(url: &str) -> Outcome {
    let credential = ManagedIdentityCredential::new(None)?;
    let service = BlobServiceClient::new(Url::parse(url)?, Some(credential), None)?;
    let container = service.blob_container_client("invoices");
    // One that is sent at once, and one that is sent in blocks.
    let (small, letter) = (container.blob_client("one"), b"hello".to_vec());
    let archive: Vec<u8> = (0..9u32 << 20)
        .map(|i| (i ^ i >> 8 ^ i >> 16) as u8)
        .collect();
    let big = container.blob_client("archive");

    operate(SDK, "container create", async {
        container.create(None).await?;
        Ok(())
    })
    .await?;
    operate(SDK, "blob upload", upload(&small, &letter)).await?;
    operate(SDK, "blob upload in blocks", upload(&big, &archive)).await?;
    operate(SDK, "blob blocks", async {
        let list = big
            .block_blob_client()
            .get_block_list(BlockListType::Committed, None)
            .await?;
        let count = list
            .into_model()?
            .committed_blocks
            .unwrap_or_default()
            .len();
        check(count > 1, &format!("the blob has {count} blocks"))
    })
    .await?;
    operate(SDK, "blob download", async {
        for (blob, content) in [(&small, &letter), (&big, &archive)] {
            let got = blob.download(None).await?.body.collect().await?;
            check(&got == content, "a blob has another content")?;
        }
        Ok(())
    })
    .await?;
    operate(SDK, "blob list", list(&container, &["archive", "one"])).await?;
    operate(SDK, "blob properties", async {
        let size = big.get_properties(None).await?.content_length()?;
        check(
            size == Some(archive.len() as u64),
            "the blob has another size",
        )
    })
    .await?;
    operate(SDK, "blob delete", async {
        small.delete(None).await?;
        match small.download(None).await {
            Ok(_) => Err("the deleted blob is there".into()),
            Err(error) => check(
                error.http_status() == Some(StatusCode::NotFound),
                &error.to_string(),
            ),
        }
    })
    .await?;
    operate(SDK, "container delete", async {
        container.delete(None).await?;
        Ok(())
    })
    .await
}

async fn upload(blob: &BlobClient, content: &[u8]) -> Outcome {
    blob.upload(RequestContent::from(content.to_vec()), None)
        .await?;
    Ok(())
}

/// Lists with a page for each blob, so that the list goes on.
async fn list(container: &BlobContainerClient, want: &[&str]) -> Outcome {
    let options = BlobContainerClientListBlobsOptions {
        maxresults: Some(1),
        ..Default::default()
    };
    let blobs: Vec<_> = container.list_blobs(Some(options))?.try_collect().await?;
    let names: Vec<_> = blobs.iter().filter_map(|one| one.name.as_deref()).collect();
    check(names == want, &format!("the list has {names:?}"))
}
