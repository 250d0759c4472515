//! Invalid requests about pictures, one for each rule that the contract's comments state.

use atelier_proto::text_image::v1 as image;

use super::Table;

const SERVICE: &str = "/atelier.text_image.v1.TextImageService/";

/// The rows.
pub fn rows(table: &mut Table) {
    table.ids(SERVICE, "ExportPersonalData", "user_id", |user_id| {
        image::ExportPersonalDataRequest { user_id }
    });
    table.ids(SERVICE, "ErasePersonalData", "user_id", |user_id| {
        image::ErasePersonalDataRequest { user_id }
    });
    let draw = || image::GenerateImageRequest {
        prompt: "a boat".into(),
        ..Default::default()
    };
    let size = |width, height| Some(image::Size { width, height });
    for (request, field) in [
        (
            image::GenerateImageRequest {
                prompt: String::new(),
                ..draw()
            },
            "prompt",
        ),
        (
            image::GenerateImageRequest {
                prompt: " \t ".into(),
                ..draw()
            },
            "prompt",
        ),
        (
            image::GenerateImageRequest {
                prompt: "p".repeat(4001),
                ..draw()
            },
            "prompt",
        ),
        (
            image::GenerateImageRequest {
                size: size(63, 512),
                ..draw()
            },
            "size.width",
        ),
        (
            image::GenerateImageRequest {
                size: size(512, 2049),
                ..draw()
            },
            "size.height",
        ),
        (
            image::GenerateImageRequest {
                size: size(512, i32::MIN),
                ..draw()
            },
            "size.height",
        ),
        (
            image::GenerateImageRequest {
                style: "no-such-style".into(),
                ..draw()
            },
            "style",
        ),
        (
            image::GenerateImageRequest {
                model: "nobody".into(),
                ..draw()
            },
            "model",
        ),
        (
            image::GenerateImageRequest {
                request_id: "a/b".into(),
                ..draw()
            },
            "request_id",
        ),
    ] {
        table.add(SERVICE, "GenerateImage", request, field);
    }
    table.ids(
        SERVICE,
        "WatchGeneration",
        "generation_id",
        |generation_id| image::WatchGenerationRequest {
            generation_id,
            after_sequence: 0,
        },
    );
    let before = image::WatchGenerationRequest {
        generation_id: "g".into(),
        after_sequence: -1,
    };
    table.add(SERVICE, "WatchGeneration", before, "after_sequence");
    table.ids(
        SERVICE,
        "CancelGeneration",
        "generation_id",
        |generation_id| image::CancelGenerationRequest { generation_id },
    );
    table.ids(
        SERVICE,
        "InspectGeneration",
        "generation_id",
        |generation_id| image::InspectGenerationRequest { generation_id },
    );
    table.pages(SERVICE, "ListGenerations", |page_size, page_token| {
        image::ListGenerationsRequest {
            page_size,
            page_token,
            open_only: false,
        }
    });
    table.ids(SERVICE, "GetImage", "image_id", |image_id| {
        image::GetImageRequest { image_id }
    });
    table.pages(SERVICE, "ListImages", |page_size, page_token| {
        image::ListImagesRequest {
            page_size,
            page_token,
        }
    });
    table.ids(SERVICE, "DeleteImage", "image_id", |image_id| {
        image::DeleteImageRequest { image_id }
    });
    table.pages(SERVICE, "ListAllImages", |page_size, page_token| {
        image::ListAllImagesRequest {
            page_size,
            page_token,
            user_id: String::new(),
        }
    });
    let of = image::ListAllImagesRequest {
        user_id: "u".repeat(65),
        ..Default::default()
    };
    table.add(SERVICE, "ListAllImages", of, "user_id");
}
