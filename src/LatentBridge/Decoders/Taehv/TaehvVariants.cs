using LatentBridge.Weights;

namespace LatentBridge.Decoders.Taehv;

/// <summary>The files of the TAEHV family that share their shapes but not their meaning, told apart by their names where their numbers are not known.</summary>
static class TaehvVariants
{
    public const string LightWan21 = "lighttaew2_1";
    public const string LightWan22 = "lighttaew2_2";
    public const string LightHunyuan15 = "lighttaehy1_5";

    /// <summary>In the order in which their names are tried: a name of LightX2V's holds another one's.</summary>
    public static IReadOnlyList<NetworkVariant> All { get; } =
    [
        new(LightWan21, 16, ["Wan21"], ["light"]) { IsUsual = false },
        new(LightWan22, 48, ["Wan22"], ["light"]) { IsUsual = false },
        new(LightHunyuan15, 32, ["HunyuanVideo15"], ["light", "taehy"]) { IsUsual = false },
        new("taew2_2", 48, ["Wan22"], ["taew22"]),
        new("taehv1_5", 32, ["HunyuanVideo15"], ["taehv15"]),
        new("taeh3", 24, ["MiniMaxH3Video", "MiniMaxH3AV"], []),
        new("taeltx2_3", 128, ["LTXAV"], ["ltx23", "ltx25"]),
        new("taeltx_2", 128, ["LTXAV"], ["ltx2"]),
        new("taew2_1", 16, ["Wan21"], ["taew", "wan", "qwen", "anima", "krea", "cosmos"]),
        new("taecvx", 16, ["CogVideoX", "CogVideoX1_5"], ["cvx", "cogvideo"]),
        new("taeos1_3", 16, [], ["taeos", "opensora"]),
        new("taehv", 16, ["HunyuanVideo"], ["taehv", "hunyuan"]),
    ];

    /// <summary>True for LightX2V's files, which read latents in the VAE's scale.</summary>
    public static bool ReadsVaeScale(string? variant) => variant is LightWan21 or LightWan22 or LightHunyuan15;

    /// <summary>True for the one that bends negative values to a fifth instead of zero, and whose pictures are -1..1.</summary>
    public static bool IsLeaky(string? variant) => variant is LightHunyuan15;
}
