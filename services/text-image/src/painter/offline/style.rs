//! The styles a commission may name; a list of names only, how each one renders is in `styles/`.

/// A way of rendering the same composed scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// Clean shapes, soft light and a little grain: the house style.
    #[default]
    Illustration,
    /// Soft light, depth, haze and fine texture.
    Realistic,
    /// Wet paper: bleeding washes, dark pigment edges, granulation.
    Watercolor,
    /// Thick directional brush strokes lit from the side.
    Oil,
    /// A coarse grid, a small palette and ordered dithering.
    PixelArt,
    /// Pen on paper: contours and cross-hatching with one spot colour.
    LineArt,
    /// Glowing contours in the dark, rain-slick colour and scan lines.
    Neon,
    /// Cut paper in stacked sheets, each with its own shadow.
    PaperCut,
}

impl Style {
    /// Every style, the default first.
    pub const ALL: [Style; 8] = [
        Style::Illustration,
        Style::Realistic,
        Style::Watercolor,
        Style::Oil,
        Style::PixelArt,
        Style::LineArt,
        Style::Neon,
        Style::PaperCut,
    ];

    /// The stable identifier callers send, such as `pixel-art`.
    pub fn id(self) -> &'static str {
        match self {
            Style::Illustration => "illustration",
            Style::Realistic => "realistic",
            Style::Watercolor => "watercolor",
            Style::Oil => "oil",
            Style::PixelArt => "pixel-art",
            Style::LineArt => "line-art",
            Style::Neon => "neon",
            Style::PaperCut => "paper-cut",
        }
    }

    /// The name shown to people.
    pub fn title(self) -> &'static str {
        match self {
            Style::Illustration => "Illustration",
            Style::Realistic => "Realistic",
            Style::Watercolor => "Watercolor",
            Style::Oil => "Oil",
            Style::PixelArt => "Pixel art",
            Style::LineArt => "Line art",
            Style::Neon => "Neon",
            Style::PaperCut => "Paper cut",
        }
    }

    /// One sentence about what the style looks like.
    pub fn description(self) -> &'static str {
        match self {
            Style::Illustration => "Clean shapes in soft light, with a little grain.",
            Style::Realistic => "Soft light, rounded forms, haze in the distance.",
            Style::Watercolor => "Washes that bleed into wet paper and dry with dark edges.",
            Style::Oil => "Thick brush strokes that follow the forms and catch the light.",
            Style::PixelArt => "A coarse grid in a small palette, dithered.",
            Style::LineArt => "Ink contours and hatching on paper, with a spot of colour.",
            Style::Neon => "Glowing outlines in a dark city haze, with scan lines.",
            Style::PaperCut => "Layers of cut paper, each casting a soft shadow.",
        }
    }

    /// The style with this identifier; common other spellings are understood. None when unknown.
    pub fn from_id(id: &str) -> Option<Style> {
        let id = id.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        Some(match id.as_str() {
            "" | "default" | "illustration" => Style::Illustration,
            "realistic" | "photo" | "photorealistic" | "realism" => Style::Realistic,
            "watercolor" | "watercolour" | "aquarelle" => Style::Watercolor,
            "oil" | "oil-painting" | "impressionist" => Style::Oil,
            "pixel-art" | "pixel" | "pixelart" => Style::PixelArt,
            "line-art" | "lineart" | "ink" | "sketch" => Style::LineArt,
            "neon" | "cyberpunk" => Style::Neon,
            "paper-cut" | "papercut" | "paper" => Style::PaperCut,
            _ => return None,
        })
    }
}
