using LatentBridge.Previews;

namespace LatentBridge.Sessions.Control;

/// <summary>Spelling of <see cref="PreviewEncoding"/> in the protocol.</summary>
static class EncodingNames
{
    public static string Name(this PreviewEncoding encoding) => encoding switch
    {
        PreviewEncoding.Rgb24 => "rgb24",
        PreviewEncoding.Png => "png",
        PreviewEncoding.Jpeg => "jpeg",
        _ => "webp",
    };
}
