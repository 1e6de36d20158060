namespace LatentBridge.Sessions;

/// <summary>Where a picture belongs in a moving picture.</summary>
/// <param name="Picture">Its place, from 0.</param>
/// <param name="Pictures">How many places there are.</param>
/// <param name="Sharp">How many of them a network has filled; the others hold the colours of their cells.</param>
/// <param name="Rate">Pictures a second at which the moving picture lasts as long as the video.</param>
public readonly record struct ClipPlace(int Picture, int Pictures, int Sharp, double Rate);
