//! Invalid requests about speech, one for each rule that the contract's comments state.

use atelier_proto::tts::v1 as tts;

use super::Table;

const SERVICE: &str = "/atelier.tts.v1.TtsService/";

/// The rows.
pub fn rows(table: &mut Table) {
    table.ids(SERVICE, "ExportPersonalData", "user_id", |user_id| {
        tts::ExportPersonalDataRequest { user_id }
    });
    table.ids(SERVICE, "ErasePersonalData", "user_id", |user_id| {
        tts::ErasePersonalDataRequest { user_id }
    });
    let say = || tts::SynthesizeRequest {
        text: "Hello.".into(),
        ..Default::default()
    };
    for (request, field) in [
        (
            tts::SynthesizeRequest {
                text: String::new(),
                ..say()
            },
            "text",
        ),
        (
            tts::SynthesizeRequest {
                text: "?! …".into(),
                ..say()
            },
            "text",
        ),
        (
            tts::SynthesizeRequest {
                text: "t".repeat(5001),
                ..say()
            },
            "text",
        ),
        (
            tts::SynthesizeRequest {
                voice: "nobody".into(),
                ..say()
            },
            "voice",
        ),
        (
            tts::SynthesizeRequest {
                format: 77,
                ..say()
            },
            "format",
        ),
        (
            tts::SynthesizeRequest {
                speed: Some(0.49),
                ..say()
            },
            "speed",
        ),
        (
            tts::SynthesizeRequest {
                speed: Some(f64::INFINITY),
                ..say()
            },
            "speed",
        ),
        (
            tts::SynthesizeRequest {
                pitch: Some(2.1),
                ..say()
            },
            "pitch",
        ),
        (
            tts::SynthesizeRequest {
                request_id: "r".repeat(65),
                ..say()
            },
            "request_id",
        ),
    ] {
        table.add(SERVICE, "Synthesize", request, field);
    }
    table.ids(
        SERVICE,
        "WatchGeneration",
        "generation_id",
        |generation_id| tts::WatchGenerationRequest {
            generation_id,
            after_sequence: 0,
        },
    );
    let before = tts::WatchGenerationRequest {
        generation_id: "g".into(),
        after_sequence: -1,
    };
    table.add(SERVICE, "WatchGeneration", before, "after_sequence");
    table.ids(
        SERVICE,
        "CancelGeneration",
        "generation_id",
        |generation_id| tts::CancelGenerationRequest { generation_id },
    );
    table.ids(
        SERVICE,
        "InspectGeneration",
        "generation_id",
        |generation_id| tts::InspectGenerationRequest { generation_id },
    );
    table.pages(SERVICE, "ListGenerations", |page_size, page_token| {
        tts::ListGenerationsRequest {
            page_size,
            page_token,
            open_only: false,
        }
    });
    table.ids(SERVICE, "GetConversion", "conversion_id", |conversion_id| {
        tts::GetConversionRequest { conversion_id }
    });
    table.pages(SERVICE, "ListConversions", |page_size, page_token| {
        tts::ListConversionsRequest {
            page_size,
            page_token,
        }
    });
    table.ids(
        SERVICE,
        "DeleteConversion",
        "conversion_id",
        |conversion_id| tts::DeleteConversionRequest { conversion_id },
    );
}
