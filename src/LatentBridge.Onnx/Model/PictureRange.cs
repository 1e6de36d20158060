namespace LatentBridge.Onnx.Model;

/// <summary>What is black and what is white in a model's picture.</summary>
readonly record struct PictureRange(float Black, float White)
{
    public static readonly PictureRange Unit = new(0, 1), Signed = new(-1, 1), Bytes = new(0, 255);

    /// <summary>Takes <c>0..1</c>, <c>-1..1</c> or <c>0..255</c>; null for anything else.</summary>
    public static PictureRange? Parse(string text) => text switch
    {
        "0..1" => Unit,
        "-1..1" => Signed,
        "0..255" => Bytes,
        _ => null,
    };

    /// <summary>Tells the range by the values of a picture of noise, which has dark and bright in it.</summary>
    /// <remarks>A tenth below -0.1: -1..1. Values beyond 2: 0..255. Else 0..1; networks overshoot it a little on both sides.</remarks>
    public static PictureRange Of(ReadOnlySpan<float> values)
    {
        int negative = 0, large = 0;
        foreach (float value in values)
        {
            negative += value < -0.1f ? 1 : 0;
            large += value > 2 ? 1 : 0;
        }

        return 10 * large > values.Length ? Bytes : 10 * negative > values.Length ? Signed : Unit;
    }
}
