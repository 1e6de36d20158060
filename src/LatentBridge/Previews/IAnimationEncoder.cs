namespace LatentBridge.Previews;

/// <summary>Makes animations of a kind that is not built in; <c>LatentBridge.ImageSharp</c> has GIF. For APNG see <see cref="Imaging.Png.ApngWriter"/>.</summary>
public interface IAnimationEncoder
{
    /// <summary>The file's extension without the dot: <c>gif</c>.</summary>
    string Extension { get; }

    /// <summary>Writes an animation that runs for ever.</summary>
    /// <param name="frames">At least one.</param>
    /// <param name="width">Of every frame, in pixels.</param>
    /// <param name="height">Of every frame, in pixels.</param>
    /// <param name="file">Gets the bytes; must be able to seek.</param>
    /// <exception cref="LatentBridgeException">The file format has no such sides.</exception>
    void Encode(IReadOnlyList<AnimationFrame> frames, int width, int height, Stream file);
}
